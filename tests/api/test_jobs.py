"""Jobs over HTTP, as events and over the WebSocket: the same numbers everywhere, from the start to every end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.connection import Connection

from tests.api import watchers
from tests.api.conftest import API, client_of
from tests.api.test_speech import with_engine
from tests.api.voice_stage import (
    BASE,
    SOON_S,
    VOICES,
    Stage,
    data_of,
    http,
    refusal,
    settled,
    stage,
    uploaded,
    voice_models,
    voice_recording,
)
from tests.api.watchers import EventReader, ServerEvent, hear, socket_of
from tests.fakes import FakeEngine
from tests.models.staged_downloads import stage_downloads
from tests.serving import Serve, serving
from tts_core.api.server import create_api
from tts_core.api.streams import Streams
from tts_core.audio.editing import append_silence
from tts_core.domain.events import Samples
from tts_core.engines.qwen import engine as qwen_engine
from tts_core.platform.job import JobKind
from tts_core.platform.paths import ROOT_DIR
from tts_core.services import Services
from tts_core.voices import library as voices

__all__ = ["http", "stage", "voice_models", "voice_recording"]

EVENTS = "/api/jobs/events"
OBJECT = {
    *("id", "kind", "subject", "status", "phase", "progress", "message", "position", "eta_seconds", "code"),
    *("result", "created_at", "updated_at", "seq"),
}
CONTRACT = {"type", "scope", "phase", "message", "progress", "timestamp", "project_id", "voice_id", "job_id"}
PHASES = ["clone_start", "design_generate", "load_audio", "write_wav", "clone_done", "clone_error"]
PHASES_OF_DESIGN = ["clone_start", "design_generate", "load_audio", "write_wav", "clone_done"]


listening = partial(watchers.listening, events=EVENTS)


def until_over(told: Callable[[], dict[str, Any]], job_id: str, name: str) -> list[dict[str, Any]]:
    """What is told of the job, its end included."""
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["status"] in ("waiting", "running"):
        message = told()
        if message.get(name) == job_id:
            messages.append(message)
    return messages


def from_socket(client: Connection) -> Callable[[], dict[str, Any]]:
    return lambda: hear(client)


def from_events(reader: EventReader) -> Callable[[], dict[str, Any]]:
    def told() -> dict[str, Any]:
        event = reader.next()
        assert event is not None
        return event.data

    return told


def test_a_clone_job_is_told_from_its_start_to_its_end(stage: Stage, http: httpx.Client) -> None:
    voice_id = uploaded(http, stage.recording, name="Told")["id"]
    with socket_of(stage.url) as client, listening(stage.url) as reader:
        assert reader.until("initial_state").data["type"] == "initial_state"
        job_id = data_of(http.post(f"{VOICES}/{voice_id}/clone"))["job_id"]
        heard = until_over(from_socket(client), job_id, "job_id")
        seen = until_over(from_events(reader), job_id, "id")
    assert all(message.keys() >= CONTRACT for message in heard)
    assert {(message["scope"], message["project_id"], message["voice_id"]) for message in heard} == {
        ("qwen3_tts_voice_clone", None, voice_id)
    }
    phases = [message["phase"] for message in heard]
    assert set(phases) <= set(PHASES)
    assert "load_audio" in phases
    progress = [message["progress"] for message in heard]
    assert progress == sorted(progress)
    assert (heard[-1]["type"], phases[-1], progress[-1]) == ("completed", "clone_done", 100)
    assert all(message["type"] == "progress" for message in heard[:-1])
    assert (seen[-1]["type"], seen[-1]["progress"], seen[-1]["result"]) == ("job_complete", 100, {"voice_id": voice_id})
    assert {message["type"] for message in seen[:-1]} <= {"job_progress"}
    shown = data_of(http.get(f"/api/jobs/{job_id}"))
    assert shown.keys() == OBJECT
    assert shown == {name: value for name, value in seen[-1].items() if name != "type"}
    shared = shown.keys() & heard[-1].keys() - {"phase"}
    assert {name: shown[name] for name in shared} == {name: heard[-1][name] for name in shared}
    assert refusal(http.post(f"/api/jobs/{job_id}/retry")) == (409, "job_not_retryable")
    assert data_of(http.post(f"/api/jobs/{job_id}/cancel"))["status"] == "done"


def test_a_job_that_fails_says_why_and_can_be_tried_again(stage: Stage, http: httpx.Client) -> None:
    voice_id = uploaded(http, stage.recording, name="Silent", ref_text="", x_vector_only_mode="false")["id"]
    with socket_of(stage.url) as client:
        job_id = data_of(http.post(f"{VOICES}/{voice_id}/clone"))["job_id"]
        last = until_over(from_socket(client), job_id, "job_id")[-1]
        assert (last["type"], last["phase"], last["code"]) == ("error", "clone_error", "transcript_missing")
        assert last["message"] == settled(http, voice_id)["last_error"]
        assert settled(http, voice_id)["status"] == "failed"
        assert http.get(f"{VOICES}/{voice_id}/audio?kind=original").content == stage.recording.read_bytes()
        data_of(http.patch(f"{VOICES}/{voice_id}", json={"x_vector_only_mode": True}))
        data_of(http.post(f"/api/jobs/{job_id}/retry"))
        assert until_over(from_socket(client), job_id, "job_id")[-1]["type"] == "completed"
    assert settled(http, voice_id)["status"] == "ready"


def test_a_designed_voice_can_be_stopped_and_made_again(
    stage: Stage, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"name": "Robot", "model_key": BASE, "voice_design_model_key": "voice_design_1_7b", "language": "English"}
    with socket_of(stage.url) as client:
        job = data_of(http.post(f"{VOICES}/design-clone", json={**form, "text": "hello world", "instruct": "Calm."}))
        while (message := hear(client))["phase"] != "design_generate":
            assert message["type"] == "progress"
        data_of(http.post(f"/api/jobs/{job['job_id']}/cancel"))
        last = until_over(from_socket(client), job["job_id"], "job_id")[-1]
        assert (last["type"], last["phase"], last["code"]) == ("cancelled", "clone_error", "")
        assert data_of(http.get(f"{VOICES}/{job['voice_id']}"))["status"] == "uploaded"
        monkeypatch.setattr(voices, "DESIGN_MAX_S", 0.4)
        data_of(http.post(f"/api/jobs/{job['job_id']}/retry"))
        heard = until_over(from_socket(client), job["job_id"], "job_id")
    phases = [message["phase"] for message in heard]
    assert list(dict.fromkeys(phases)) == PHASES_OF_DESIGN
    assert heard[-1]["type"] == "completed"
    assert settled(http, job["voice_id"])["status"] == "ready"
    meta = data_of(http.get(f"{VOICES}/{job['voice_id']}"))["meta"]
    assert meta["voice_design_model_key"] == form["voice_design_model_key"]


def test_who_comes_back_is_told_the_end_that_was_missed(stage: Stage, http: httpx.Client) -> None:
    voice_id = uploaded(http, stage.recording, name="Missed")["id"]
    with listening(stage.url) as reader, socket_of(stage.url) as client:
        first = reader.until("initial_state")
        job_id = data_of(http.post(f"{VOICES}/{voice_id}/clone"))["job_id"]
        seq = until_over(from_socket(client), job_id, "job_id")[0]["seq"]
    settled(http, voice_id)
    with listening(stage.url, first.id) as reader:
        until_over(from_events(reader), job_id, "id")
    with socket_of(stage.url, f"?after_job_seq={seq}") as client:
        assert until_over(from_socket(client), job_id, "job_id")[-1]["type"] == "completed"
    for strange in ("", "x-y", "9" * 400, "1-2-3"):
        with listening(stage.url, strange) as reader:
            assert reader.next() is not None, "the state, not an error"


def test_downloads_are_jobs_too(services: Services) -> None:
    downloads = stage_downloads(services)
    with serving(create_api(downloads.services, Streams(limit=4, heartbeat_s=0.2))) as url, client_of(url) as client:
        downloads.at("custom_0_6b", 420_000)
        with listening(url) as reader:
            (job,) = reader.until("initial_state").data["jobs"]
            assert (job["id"], job["kind"], job["subject"], job["progress"], job["status"]) == (
                *("download-custom_0_6b", "download", "custom_0_6b"),
                *(42, "running"),
            )
            assert [job] == data_of(client.get("/api/jobs", params={"kind": "download", "active": 1}))
            downloads.at("custom_0_6b", 500_000)
            assert reader.until("job_progress").data["progress"] == 50
            assert data_of(client.post(f"/api/jobs/{job['id']}/cancel"))["status"] == "cancelled"
            assert reader.until("job_cancelled").data["id"] == job["id"]
            assert reader.until("heartbeat").data["count"] >= 1
        assert data_of(client.get("/api/jobs", params={"active": 1})) == []
        assert data_of(client.post(f"/api/jobs/{job['id']}/retry"))["status"] in ("waiting", "running")
        downloads.finish("custom_0_6b")
        assert refusal(client.post(f"/api/jobs/{job['id']}/retry")) == (409, "job_not_retryable")


def test_speech_is_a_job_that_can_be_cancelled(services: Services, serve: Serve) -> None:
    engine = FakeEngine()
    engine.go.clear()
    url = serve(create_api(with_engine(services, engine)))
    answers: list[httpx.Response] = []

    def speak() -> None:
        with client_of(url) as client:
            answers.append(client.post(f"{API}/synthesize", json={"text": "abc", "voice_id": "fake/tone"}))

    speaking = threading.Thread(target=speak)
    with client_of(url) as client, listening(url) as reader, socket_of(url) as told:
        reader.until("initial_state")
        speaking.start()
        begun: ServerEvent = reader.until("job_progress")
        assert (begun.data["kind"], begun.data["subject"]) == ("synthesis", "fake/tone")
        message = hear(told)
        assert (message["type"], message["scope"], message["project_id"]) == ("progress", "qwen3_tts_jobs", None)
        assert (message["job_id"], message["kind"]) == (begun.data["id"], "synthesis")
        data_of(client.post(f"/api/jobs/{begun.data['id']}/cancel"))
        engine.go.set()
        assert reader.until("job_cancelled").data["id"] == begun.data["id"]
        assert until_over(from_socket(told), begun.data["id"], "job_id")[-1]["type"] == "cancelled"
        speaking.join(60)
        assert refusal(answers[0]) == (499, "cancelled")
        answers.append(client.post(f"{API}/synthesize", json={"text": "abc"}))
        assert [job["status"] for job in data_of(client.get("/api/jobs"))] == ["done", "cancelled"]
        done = data_of(client.get("/api/jobs"))[0]
        assert (done["progress"], done["result"]["stop_reason"]) == (100, "complete")
        take = data_of(answers[-1])["url"].rpartition("/")[2]
        shown = client.get("/api/jobs").text
        assert "abc" not in shown, "what is said is nobody else's business"
        assert take not in shown, "nor is where to hear it"
    assert not list(services.settings.paths.outputs_dir.glob("*.part"))


@pytest.mark.parametrize("job_id", ["nothing", "download-nothing", "download-", "%2e%2e", "0" * 500])
def test_an_unknown_job_is_a_404(http: httpx.Client, job_id: str) -> None:
    for method, rest in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry")):
        assert http.request(method, f"/api/jobs/{job_id}{rest}").status_code == 404


def test_another_sites_page_hears_nothing(http: httpx.Client) -> None:
    answer = http.get(EVENTS, headers={"Sec-Fetch-Site": "cross-site"})
    assert refusal(answer) == (403, "origin_not_allowed")


def test_a_voice_that_is_removed_while_it_is_prepared_leaves_nothing(
    stage: Stage, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice_id = uploaded(http, stage.recording, name="Gone")["id"]

    def removed_now(samples: Samples, sample_rate: int, seconds: float) -> Samples:
        data_of(http.delete(f"{VOICES}/{voice_id}", params={"remove_files": 1}))
        return append_silence(samples, sample_rate, seconds)

    monkeypatch.setattr(qwen_engine, "append_silence", removed_now)  # the recording is read, no prompt made yet
    job_id = data_of(http.post(f"{VOICES}/{voice_id}/clone"))["job_id"]
    with socket_of(stage.url, "?after_job_seq=0") as client:
        assert until_over(from_socket(client), job_id, "job_id")[-1]["type"] == "cancelled"
    assert not (stage.services.settings.paths.voices_dir / voice_id).exists()


SERVER = """
import sys, uvicorn
from tts_core.api.server import create_api
from tts_core.services import build_services
from tts_core.platform.settings.studio import Settings
import os
services = build_services(Settings.from_env(os.environ))
services.start()
uvicorn.run(create_api(services), port=int(sys.argv[1]), log_config=None)
"""


@contextmanager
def server_process(data_dir: Path, models_dir: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server that can be killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environ = {
        **os.environ,
        "TTS_STUDIO_DATA_DIR": str(data_dir),
        "QWEN_TTS_MODELS_DIR": str(models_dir),
        "OMP_NUM_THREADS": "1",
    }
    with subprocess.Popen([sys.executable, "-c", SERVER, str(port)], cwd=ROOT_DIR, env=environ) as process:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + SOON_S
        try:
            while True:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < deadline
                try:
                    with client_of(url) as client:
                        client.get("/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield url, process
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="kill is meant")
def test_a_job_that_a_killed_server_was_at_says_so_and_is_tried_again(
    voice_models: Path, voice_recording: Path, tmp_path: Path
) -> None:
    with server_process(tmp_path, voice_models) as (url, process), client_of(url) as client:
        voice_id = uploaded(client, voice_recording)["id"]
        job_id = data_of(client.post(f"{VOICES}/{voice_id}/clone"))["job_id"]  # loads torch first: seconds
        while data_of(client.get(f"{VOICES}/{voice_id}"))["status"] != "cloning":
            assert data_of(client.get(f"/api/jobs/{job_id}"))["status"] in ("waiting", "running")
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    with server_process(tmp_path, voice_models) as (url, _), client_of(url) as client:
        job = data_of(client.get(f"/api/jobs/{job_id}"))
        assert (job["status"], job["subject"]) == ("interrupted", voice_id)
        voice = data_of(client.get(f"{VOICES}/{voice_id}"))
        assert (voice["status"], bool(voice["last_error"])) == ("failed", True)
        original = client.get(f"{VOICES}/{voice_id}/audio", params={"kind": "original"})
        assert original.content == voice_recording.read_bytes()
        assert data_of(client.post(f"/api/jobs/{job_id}/retry"))["id"] == job_id
        assert settled(client, voice_id).items() >= {"status": "ready", "job_id": job_id}.items()


def test_what_was_transcribed_is_told_to_who_asks_for_that_job_alone(services: Services, serve: Serve) -> None:
    services.jobs.add_work(
        JobKind.TRANSCRIPTION, lambda _run: {"text": "sesame", "segments": [{"text": "sesame"}], "language": "en"}
    )
    url = serve(create_api(services))
    with client_of(url) as client, listening(url) as reader:
        reader.until("initial_state")
        job = services.jobs.submit(JobKind.TRANSCRIPTION, "me.wav", {})
        assert reader.until("job_complete").data["result"] == {"language": "en"}
        assert data_of(client.get("/api/jobs"))[0]["result"] == {"language": "en"}
        assert data_of(client.get(f"/api/jobs/{job.key}"))["result"]["text"] == "sesame"
        with listening(url) as later:
            assert "sesame" not in str(later.until("initial_state").data)
