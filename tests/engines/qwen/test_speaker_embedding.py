"""Who speaks, as a vector: over HTTP in the app and alone, and on the command line, by a tiny Base model's encoder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import torch
from starlette.testclient import TestClient

from tests import ROOT
from tests.api.conftest import client_of
from tests.api.raw_http import RawServer
from tests.conftest import wait_until
from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.api.services.numbers import Numbers
from tts_core.api.services.sounds import clip_of
from tts_core.audio.gender import estimated_gender
from tts_core.cli.main import main
from tts_core.cli.serve.embedding import build, keep_warm
from tts_core.cli.serve.single_service import kept_warm
from tts_core.engines.qwen.speaker_embedding import SPEAKER_ENCODER
from tts_core.engines.qwen.speech_model import QwenModel
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.voices.library import Consent, NewVoice

RATE = 16_000


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    """See tests/engines/qwen/conftest.py."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A catalogue whose two Base models are tiny and ready, and one that is not there."""
    root = tmp_path_factory.mktemp("speakers")
    entries: dict[str, Any] = {}
    for key, kind, geometry in (
        ("base_0_6b", "base", "a"),
        ("base_1_7b", "base", "b"),
        ("custom", "custom_voice", "a"),
    ):
        folder = write_checkpoint(root / "models" / key, kind=kind, geometry=geometry)
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        sizes = {name: {"size": path.stat().st_size} for name, path in files.items()}
        entries[key] = {"kind": kind, "local": key, "files": sizes}
    entries["absent"] = {**entries["base_0_6b"], "local": "absent"}
    (root / "catalogue.json").write_text(json.dumps(entries))
    return {
        "TTS_STUDIO_DATA_DIR": str(root / "data"),
        "QWEN_TTS_MODELS_DIR": str(root / "models"),
        "TTS_STUDIO_CATALOG": str(root / "catalogue.json"),
        "TTS_STUDIO_DEVICE": "cpu",
    }


@pytest.fixture(scope="module")
def services(variables: dict[str, str]) -> Iterator[Services]:
    built = build_services(Settings.from_env(variables))
    yield built
    built.close()


@pytest.fixture(scope="module", params=["in the app", "alone"])
def client(request: pytest.FixtureRequest, services: Services) -> Iterator[httpx.Client]:
    app = create_api(services) if request.param == "in the app" else build(services)
    with serving(app) as url, client_of(url) as client:
        yield client


def sound(seconds: float = 2.0, f0: float = 120.0) -> list[float]:
    samples: list[float] = reference_audio(seconds, RATE, f0).tolist()
    return samples


def test_extract_answers_what_the_whole_model_would_find(client: httpx.Client, services: Services) -> None:
    answer = client.post("/extract", json={"audio": sound(), "sample_rate": RATE, "model_key": "base_0_6b"})
    found = answer.json()
    assert answer.status_code == 200
    model = QwenModel.load(services.models.folder("base_0_6b"), device="cpu")
    expected = model.prepare_voice(np.asarray(sound(), np.float32), RATE).embedding.numpy()
    np.testing.assert_allclose(found["embedding"], expected, rtol=1e-5, atol=1e-6)
    assert {name: value for name, value in found.items() if name not in ("embedding", "message")} == {
        "dimension": len(expected),
        "input_samples": 2 * RATE,
        "sample_rate": RATE,
        "too_short": False,
        "use_default": False,
        "estimated_gender": "male",
        "model_key": "base_0_6b",
    }


def test_the_smallest_model_answers_and_16_khz_are_meant(client: httpx.Client) -> None:
    named = client.post("/extract", json={"audio": sound(), "sample_rate": RATE, "model_key": "base_0_6b"}).json()
    assert client.post("/extract", json={"audio": sound()}).json() == named


def test_models_of_two_sizes_have_vectors_of_two_lengths(client: httpx.Client) -> None:
    lengths = [
        client.post("/extract", json={"audio": sound(), "model_key": key}).json()["dimension"]
        for key in ("base_0_6b", "base_1_7b")
    ]
    assert len(set(lengths)) == 2


@pytest.mark.parametrize("audio", [[0.1] * 100, sound(0.9), [0.0] * 3 * RATE], ids=["few", "0.9 s", "silence"])
def test_too_short_is_no_error_but_has_no_embedding(client: httpx.Client, audio: list[float]) -> None:
    answer = client.post("/extract", json={"audio": audio})
    found = answer.json()
    assert answer.status_code == 200
    assert "embedding" not in found
    assert (found["too_short"], found["use_default"], found["dimension"]) == (True, True, 0)
    assert (found["input_samples"], found["estimated_gender"]) == (len(audio), None)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"audio": [NaN, 0.1]}', 422, "invalid_request"),
        ('{"audio": [Infinity]}', 422, "invalid_request"),
        ('{"audio": [1e999]}', 422, "invalid_request"),
        ('{"audio": [12000, -9000]}', 422, "invalid_request"),
        ('{"audio": ["0.1"]}', 422, "invalid_request"),
        ('{"audio": {}}', 422, "invalid_request"),
        ('{"audio": [0.1], "sample_rate": 0}', 422, "invalid_value"),
        ('{"audio": [0.1], "sample_rate": 99999999999}', 422, "invalid_value"),
        ('{"audio": [0.1], "pitch": 1}', 422, "invalid_request"),
        ('{"audio": [' + "0," * 250_000 + '0], "sample_rate": 4000}', 422, "recording_too_long"),
        ('{"audio": [0.1], "model_key": "custom"}', 404, "unknown_model_key"),
        ('{"audio": [0.1], "model_key": "absent"}', 409, "model_not_ready"),
    ],
)
def test_what_is_no_recording_is_refused(client: httpx.Client, body: str, status: int, code: str) -> None:
    answer = client.post("/extract", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (status, code)


def test_a_minute_written_with_all_digits_fits_and_a_flood_does_not(client: httpx.Client, services: Services) -> None:
    minute = np.random.default_rng(0).uniform(-0.9, 0.9, 60 * RATE)
    body = json.dumps({"audio": minute.tolist()})
    assert services.settings.limits.max_body_bytes < len(body) < services.settings.limits.max_float_body_bytes
    headers = {"Content-Type": "application/json"}
    assert client.post("/extract", content=body, headers=headers).status_code == 200
    server = RawServer(str(client.base_url))
    length = f"Content-Length: {services.settings.limits.max_float_body_bytes + 1}"
    flood = server.ask("POST", "/extract", [f"Host: {server.host}", "Content-Type: application/json", length])
    assert (flood.status, flood.json()["detail"]) == (413, "body_too_large")


def test_similarity_of_samples(client: httpx.Client) -> None:
    low, high = ({"audio": sound(2.0, f0), "sample_rate": RATE} for f0 in (110.0, 230.0))
    same = client.post("/similarity", json={"first": low, "second": low}).json()
    other = client.post("/similarity", json={"first": low, "second": high}).json()
    assert same["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert same["same_speaker"] is True
    assert other["similarity"] < same["similarity"]
    assert "rules of thumb" in other["note"]
    back = client.post("/similarity", json={"first": high, "second": low}).json()
    assert back["similarity"] == pytest.approx(other["similarity"], abs=1e-6)


def test_similarity_of_files(client: httpx.Client, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.asarray(sound()), RATE)
    soundfile.write(tmp_path / "b.flac", np.asarray(sound()), RATE)
    files = {"first": (tmp_path / "a.wav").read_bytes(), "second": (tmp_path / "b.flac").read_bytes()}
    found = client.post("/similarity/files", files=files)
    assert found.json()["similarity"] == pytest.approx(1.0, abs=1e-3)
    broken = client.post("/similarity/files", files={**files, "second": b"RIFF0000WAVEnothing"})
    assert (broken.status_code, broken.json()["detail"]) == (422, "audio_unreadable")


def test_a_saved_voice_is_compared_by_its_recording(client: httpx.Client, services: Services, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "me.wav", np.asarray(sound(4.0)), RATE)
    new = NewVoice(name="Me", model_key="base_0_6b", ref_text="Hello.")
    saved = services.voices.add_clone(tmp_path / "me.wav", new, Consent(own_voice=True))
    body = {"first": {"voice_id": saved.id}, "second": {"audio": sound(4.0)}}
    assert client.post("/similarity", json=body).json()["similarity"] > 0.95
    nobody = client.post("/similarity", json={**body, "first": {"voice_id": "nobody"}})
    assert (nobody.status_code, nobody.json()["detail"]) == (404, "voice_not_found")
    services.voices.remove(saved.id, files=True)


@pytest.mark.parametrize("speaker", [{}, {"audio": [0.1], "voice_id": "x"}, {"audio": [0.1] * 100}])
def test_speakers_that_cannot_be_compared_are_refused(client: httpx.Client, speaker: dict[str, Any]) -> None:
    answer = client.post("/similarity", json={"first": speaker, "second": {"audio": sound()}})
    assert (answer.status_code, answer.json()["detail"]) == (422, "invalid_request")


def test_other_methods_are_refused_and_other_sites_too(client: httpx.Client) -> None:
    assert client.get("/extract").status_code == 405
    alien = client.post("/extract", json={"audio": sound()}, headers={"Origin": "https://evil.example"})
    assert alien.status_code == 403
    assert client.post("/extract", json={"audio": []}, headers={"Host": "evil.example"}).status_code == 400


def test_health_tells_what_clients_look_at(client: httpx.Client) -> None:
    client.post("/extract", json={"audio": sound()})
    found = client.get("/health").json()
    assert found["status"] == "ok"
    assert {"model_loaded", "device"} <= found.keys()


def test_alone_there_is_nothing_else(services: Services) -> None:
    with serving(build(services)) as url, client_of(url) as client:
        assert client.get("/api/tts/qwen3/models").status_code == 404
        assert client.get("/openapi.json").json()["paths"].keys() == {
            "/extract",
            "/similarity",
            "/similarity/files",
            "/health",
        }
        assert client.get("/health").json()["model_ready"] is True


def test_without_a_base_model_it_says_which_to_download(tmp_path: Path) -> None:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    with serving(create_api(services)) as url, client_of(url) as client:
        answer = client.post("/extract", json={"audio": sound()})
    services.close()
    assert (answer.status_code, answer.json()["detail"]) == (409, "embedder_missing")
    assert "Qwen3-TTS 0.6B Base (2516 MB)" in answer.json()["message"]


def test_only_the_encoder_is_loaded(services: Services) -> None:
    services.embedder.extract(clip_of(Numbers.of(sound()), RATE), "base_0_6b")
    loaded = services.embedder.loaded()
    whole = QwenModel.load(services.models.folder("base_0_6b"), device="cpu")
    assert loaded is not None
    assert 0 < loaded.memory_bytes < whole.memory_bytes / 2
    assert {model.kind for model in services.memory.statuses()} == {SPEAKER_ENCODER}


def test_a_service_holds_its_encoder_from_the_start(services: Services) -> None:
    """Its clients wait five seconds for an answer."""
    with kept_warm(services, keep_warm):
        wait_until(lambda: (found := services.embedder.loaded()) and found.is_loaded and found.users == 1)
    wait_until(lambda: (found := services.embedder.loaded()) and found.users == 0)


def test_nothing_is_heard_in_an_empty_list(services: Services) -> None:
    client = TestClient(build(services), base_url="http://127.0.0.1:5003")
    for path, body in (
        ("/extract", {"audio": []}),
        ("/similarity", {"first": {"audio": []}, "second": {"audio": sound()}}),
    ):
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["detail"]) == (422, "invalid_request")
        assert "no sound" in answer.json()["error"]


@pytest.mark.parametrize(("f0", "gender"), [(105.0, "male"), (220.0, "female"), (160.0, None)])
def test_gender_is_guessed_only_where_the_pitch_tells(f0: float, gender: str | None) -> None:
    assert estimated_gender(reference_audio(2.0, RATE, f0), RATE) == gender


def test_no_gender_for_noise_and_for_two_voices() -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    assert estimated_gender(noise, RATE) is None
    two = np.concatenate([reference_audio(2.0, RATE, 100.0), reference_audio(2.0, RATE, 240.0)])
    assert estimated_gender(two, RATE) is None


def test_similarity_on_the_command_line(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    soundfile.write(tmp_path / "a.wav", np.asarray(sound()), RATE)
    paths = [str(tmp_path / "a.wav")] * 2
    assert main(["similarity", *paths, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert main(["similarity", *paths]) == 0
    assert "likely the same speaker" in capsys.readouterr().out


@pytest.mark.slow
def test_served_alone_by_its_command(variables: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "tts_core", "serve-embedding", "--gpu", "--port", str(port), "--device", "cpu"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"Speaker embedding is on http://127.0.0.1:{port}/")
        with client_of(f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: client.get("/health").json()["model_loaded"])  # nobody has asked it anything
            assert client.post("/extract", json={"audio": sound()}).json()["use_default"] is False
    finally:
        process.terminate()
        assert process.wait(60) is not None
