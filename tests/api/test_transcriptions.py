"""Recordings that programs send to be transcribed: a job each, whose result is the text; the upload does not stay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import API, client_of
from tests.api.voice_stage import SOON_S, data_of, refusal
from tests.engines.whisper.speech import write_speech
from tests.engines.whisper.whisper_studio import KEY, whisper_studio
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.engines.whisper import transcriber
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

ROUTE = f"{API}/transcriptions"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listening")
    whisper_studio(folder)
    write_speech(folder / "me.flac", 1)
    return folder


@pytest.fixture
def services(root: Path, tmp_path: Path, one_thread: None) -> Iterator[Services]:
    variables = {
        "TTS_STUDIO_DATA_DIR": str(tmp_path / "data"),
        "QWEN_TTS_MODELS_DIR": str(root / "models"),
        "TTS_STUDIO_CATALOG": str(root / "catalogue.json"),
        "TTS_STUDIO_DEVICE": "cpu",
    }
    built = build_services(Settings.from_env(variables))
    yield built
    built.close()


@pytest.fixture
def http(services: Services) -> Iterator[httpx.Client]:
    with serving(create_api(services)) as url, client_of(url) as client:
        yield client


@pytest.fixture
def recording(root: Path) -> bytes:
    return (root / "me.flac").read_bytes()


def sent(client: httpx.Client, content: bytes, **fields: str) -> httpx.Response:
    return client.post(ROUTE, files={"file": ("me.flac", content)}, data=fields)


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + SOON_S
    while True:
        job: dict[str, Any] = data_of(client.get(f"/api/jobs/{job_id}"))
        if job["status"] not in ("waiting", "running"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def uploads(services: Services) -> list[Path]:
    return list(services.settings.paths.transcription_dir.glob("*"))


def test_a_recording_becomes_text_and_does_not_stay(http: httpx.Client, services: Services, recording: bytes) -> None:
    job = ended(http, data_of(sent(http, recording))["job_id"])
    assert (job["kind"], job["status"], job["progress"], job["phase"]) == ("transcription", "done", 100, "transcribe")
    assert job["result"] == {
        "text": "hello world",
        "language": "zh",
        "segments": [{"start_s": 0.0, "end_s": 1.0, "text": "hello"}, {"start_s": 1.0, "end_s": 1.0, "text": "world"}],
        "model_key": KEY,
    }
    assert uploads(services) == []


def test_language_and_model_can_be_named(http: httpx.Client, recording: bytes) -> None:
    job = ended(http, data_of(sent(http, recording, language="German", model_key=KEY))["job_id"])
    assert (job["result"]["language"], job["result"]["model_key"]) == ("de", KEY)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"language": "Klingon"}, 422, "unknown_spoken_language"),
        ({"model_key": "whisper_tiny"}, 409, "model_not_ready"),
        ({"model_key": "custom_0_6b"}, 404, "unknown_model_key"),
        ({"colour": "red"}, 422, "invalid_request"),
    ],
)
def test_what_is_asked_wrongly_is_refused_at_once(
    http: httpx.Client, services: Services, recording: bytes, fields: dict[str, str], status: int, code: str
) -> None:
    assert refusal(sent(http, recording, **fields)) == (status, code)
    assert (uploads(services), services.jobs.jobs()) == ([], ())


def test_what_is_no_recording_is_refused_at_once(http: httpx.Client, services: Services) -> None:
    for content in (b"", b"<html>", b"#EXTM3U\nfile:///etc/passwd\n"):
        assert refusal(sent(http, content)) == (422, "audio_unreadable")
    assert (uploads(services), services.jobs.jobs()) == ([], ())


def test_too_long_a_recording_is_refused_while_it_is_read(
    http: httpx.Client, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts_core.engines.whisper.transcriber.MAX_RECORDING_S", 0.5)
    assert refusal(sent(http, recording)) == (422, "recording_too_long")


def test_without_a_model_it_says_which_to_get(services: Services, recording: bytes, tmp_path: Path) -> None:
    settings = services.settings
    empty = build_services(replace(settings, paths=replace(settings.paths, models_dir=tmp_path / "none")))
    with serving(create_api(empty)) as url, client_of(url) as http:
        assert refusal(sent(http, recording)) == (409, "transcriber_missing")
    empty.close()


def test_a_queue_that_is_full_takes_no_more(
    http: httpx.Client, services: Services, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcriber, "MAX_WAITING_UPLOADS", 0)
    assert refusal(sent(http, recording)) == (429, "queue_full")
    assert uploads(services) == []


def test_after_a_failure_the_recording_is_there_for_another_try(
    http: httpx.Client, services: Services, root: Path, recording: bytes
) -> None:
    tokenizer = root / "models" / KEY / "tokenizer.json"
    sound = tokenizer.read_bytes()
    tokenizer.write_bytes(sound.replace(b'"model"', b'"nodel"'))
    try:
        job = ended(http, data_of(sent(http, recording))["job_id"])
    finally:
        tokenizer.write_bytes(sound)
    assert (job["status"], job["code"]) == ("error", "model_folder_invalid")
    assert len(uploads(services)) == 1
    data_of(http.post(f"/api/jobs/{job['id']}/retry"))
    assert ended(http, job["id"])["result"]["text"] == "hello world"
    assert uploads(services) == []
