"""REST with tiny models that really clone, and what a client of the voice library does over and over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from tests.api.conftest import API, client_of
from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

VOICES = f"{API}/voices"
BASE, MISSING_BASE, ROLES, DESIGN = "base_0_6b", "base_1_7b", "custom_1_7b", "voice_design_1_7b"
SAID = "hello world"
SOON_S = 120.0


@dataclass(frozen=True)
class Stage:
    url: str
    services: Services
    recording: Path
    """A FLAC of three seconds."""


@pytest.fixture(scope="session")
def voice_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voice-models")
    write_checkpoint(folder / "Qwen3-TTS-12Hz-0.6B-Base", kind="base", geometry="a")
    write_checkpoint(folder / "Qwen3-TTS-12Hz-1.7B-CustomVoice", kind="custom_voice", geometry="b")
    write_checkpoint(folder / "Qwen3-TTS-12Hz-1.7B-VoiceDesign", kind="voice_design", geometry="b")
    return folder


@pytest.fixture(scope="session")
def voice_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "me.flac"
    soundfile.write(path, reference_audio(), 24_000)
    return path


@pytest.fixture(scope="module")
def stage(
    voice_models: Path, voice_recording: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None
) -> Iterator[Stage]:
    """One server for all tests of a file; each keeps voices of its own."""
    services = build_services(settings_of(tmp_path_factory.mktemp("voices"), voice_models))
    with serving(create_api(services)) as url:
        yield Stage(url, services, voice_recording)
    services.close()


@pytest.fixture
def http(stage: Stage) -> Iterator[httpx.Client]:
    with client_of(stage.url) as client:
        yield client


def settings_of(data_dir: Path, models_dir: Path) -> Settings:
    return Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), "QWEN_TTS_MODELS_DIR": str(models_dir)})


def sent(client: httpx.Client, content: bytes, /, **fields: str) -> httpx.Response:
    form = {"name": "Anna", "model_key": BASE, "language": "english", "ref_text": SAID, **fields}
    return client.post(f"{VOICES}/upload", files={"file": ("me.flac", content)}, data=form)


def data_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    assert body["message"]
    return body["data"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.json().keys() == {"success", "detail", "message"}
    return answer.status_code, answer.json()["detail"]


def uploaded(client: httpx.Client, recording: Path, /, **fields: str) -> dict[str, Any]:
    voice: dict[str, Any] = data_of(sent(client, recording.read_bytes(), **fields))
    return voice


def ready(client: httpx.Client, recording: Path, /, **fields: str) -> str:
    """The id of a new voice that can speak."""
    voice_id: str = uploaded(client, recording, **fields)["id"]
    data_of(client.post(f"{VOICES}/{voice_id}/clone"))
    assert settled(client, voice_id)["status"] == "ready"
    return voice_id


def settled(client: httpx.Client, voice_id: str) -> dict[str, Any]:
    """clone-status, once nothing goes on any more."""
    deadline = time.monotonic() + SOON_S
    while True:
        status: dict[str, Any] = data_of(client.get(f"{VOICES}/{voice_id}/clone-status"))
        job = data_of(client.get(f"/api/jobs/{status['job_id']}"))
        if status["status"] != "cloning" and job["status"] not in ("waiting", "running"):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
