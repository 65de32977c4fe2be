"""The video editor SuperAutoCutVideo: each call of its TypeScript as it sends it, and each field that it reads.

What takes a model that speaks is in test_voices.py (its preview) and in test_jobs.py (a designed voice).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import API
from tests.api.test_jobs import from_socket, until_over
from tests.api.voice_stage import (
    BASE,
    DESIGN,
    ROLES,
    SAID,
    VOICES,
    Stage,
    data_of,
    http,
    settled,
    stage,
    uploaded,
    voice_models,
    voice_recording,
)
from tests.api.watchers import socket_of
from tts_core.api.studio.messages.shapes import socket_messages
from tts_core.api.studio.voice_schemas import VoiceObject
from tts_core.platform.job import Job, JobKind, JobState
from tts_core.platform.jobs import Jobs
from tts_core.voices.record import SavedVoice

__all__ = ["http", "stage", "voice_models", "voice_recording"]

JSON = {"Content-Type": "application/json"}  # it says so with every request but forms, body or not


@dataclass(frozen=True)
class Editor:
    http: httpx.Client

    def call(self, method: str, path: str, body: object = None) -> Any:
        """`data` of the answer, as `apiClient.request` gives it to its callers."""
        content = b"" if body is None else json.dumps(body).encode()
        return data_of(self.http.request(method, path, headers=JSON, content=content))

    def upload(self, file: Path, **fields: str) -> dict[str, Any]:
        voice: dict[str, Any] = data_of(
            self.http.post(
                f"{VOICES}/upload", files={"file": (file.name, file.read_bytes(), "audio/flac")}, data=fields
            )
        )
        return voice


@pytest.fixture
def editor(http: httpx.Client) -> Editor:
    return Editor(http)


def test_it_finds_its_backend(editor: Editor) -> None:
    answer = editor.http.get("/api/server/info", headers=JSON).json()
    assert answer["data"].items() >= {"identifier": "super-auto-cut-video-backend", "status": "running"}.items()
    assert (answer["data"]["host"], answer["data"]["port"]) == (editor.http.base_url.host, editor.http.base_url.port)
    assert answer["data"]["version"]
    assert answer["timestamp"]
    hello = editor.http.get("/api/hello", headers=JSON).json()
    assert hello["message"]
    assert hello["timestamp"]
    status = editor.http.get("/api/status", headers=JSON).json()
    assert (status["status"], type(status["active_connections"]), type(status["tasks_count"])) == ("running", int, int)


def test_its_settings_show_one_engine(stage: Stage, editor: Editor) -> None:
    (engine,) = editor.call("GET", "/api/tts/engines")
    assert engine["provider"] == "qwen3_tts"
    assert engine["display_name"]
    assert engine["description"]
    found = editor.call("GET", "/api/tts/configs")
    assert found["configs"][found["active_config_id"]]["provider"] == "qwen3_tts"
    assert found["active_config_id"] == "qwen3_tts_default", "the name that it makes of the provider's"
    voice = uploaded(editor.http, stage.recording, name="Listed")
    listed = next(one for one in editor.call("GET", "/api/tts/voices?provider=qwen3_tts") if one["id"] == voice["id"])
    assert (listed["name"], listed["language"]) == ("Listed", "english")
    assert listed["sample_wav_url"] == voice["ref_audio_url"]
    assert editor.call("GET", "/api/tts/voices?provider=edge_tts") == []


def test_an_upload_needs_nothing_but_its_file(stage: Stage, editor: Editor) -> None:
    voice = editor.upload(stage.recording)
    assert (voice["name"], voice["model_key"], voice["language"]) == ("me", BASE, "Auto")
    assert (voice["status"], voice["x_vector_only_mode"]) == ("uploaded", True)
    data_of(editor.http.post(f"{VOICES}/{voice['id']}/clone", headers=JSON))
    assert settled(editor.http, voice["id"])["status"] == "ready"
    said = editor.upload(stage.recording, ref_text=SAID)
    assert said["x_vector_only_mode"] is False
    form = {
        "name": "",
        "model_key": BASE,
        "language": "Auto",
        "ref_text": "",
        "instruct": "",
        "x_vector_only_mode": "true",
    }
    assert editor.upload(stage.recording, **form)["name"] == "me", "the dialog with its fields left empty"


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("C:\\Users\\me\\My voice.mp3", "My voice"),
        ("../../etc/passwd", "passwd"),
        ("声音.wav", "声音"),
        (" .wav", "Voice"),
    ],
)
def test_a_voice_is_named_after_its_file(stage: Stage, http: httpx.Client, filename: str, name: str) -> None:
    found = http.post(f"{VOICES}/upload", files={"file": (filename, stage.recording.read_bytes())})
    assert data_of(found)["name"] == name


def test_a_deletion_says_whether_the_files_went(stage: Stage, editor: Editor) -> None:
    kept, gone = (uploaded(editor.http, stage.recording)["id"] for _ in range(2))
    left = editor.call("DELETE", f"{VOICES}/{kept}?remove_files=0")
    assert left == {"id": kept, "removed_files": False, "removed_file_names": []}
    removed = editor.call("DELETE", f"{VOICES}/{gone}?remove_files=1")
    assert (removed["removed_files"], "original.flac" in removed["removed_file_names"]) == (True, True)


def test_every_phase_of_a_clone_is_told(stage: Stage, editor: Editor) -> None:
    voice_id = editor.upload(stage.recording, name="Every phase", ref_text=SAID)["id"]
    with socket_of(stage.url) as client:
        job_id = editor.call("POST", f"{VOICES}/{voice_id}/clone")["job_id"]
        heard = until_over(from_socket(client), job_id, "job_id")
    phases = list(dict.fromkeys(message["phase"] for message in heard))
    assert phases == ["clone_start", "load_audio", "write_wav", "clone_done"]
    numbers = [message["seq"] for message in heard]
    assert numbers == sorted(set(numbers))
    progress = [message["progress"] for message in heard]
    assert progress == sorted(progress)


def test_a_job_that_was_quicker_than_its_reader_is_told_phase_by_phase(tmp_path: Path) -> None:
    """The feed keeps the newest state only; here nobody read before the end, twice."""
    jobs = Jobs(tmp_path / "jobs.json")

    def watched() -> Job:
        with jobs.watch(JobKind.CLONE_PREPARE, "a voice") as run:
            for progress, phase in enumerate(("clone_start", "load_audio", "write_wav")):
                run.say(phase, progress * 10)
        return jobs.job(run.key)

    done = watched()
    heard = socket_messages(done, 0)
    assert [(one.phase, one.type, one.progress) for one in heard] == [
        ("clone_start", "progress", 0),
        ("load_audio", "progress", 10),
        ("write_wav", "progress", 20),
        ("clone_done", "completed", 100),
    ]
    assert [one.phase for one in socket_messages(done, heard[1].seq)] == ["write_wav", "clone_done"], "who comes back"
    going_on = dataclasses.replace(done, state=JobState.RUNNING, phase="write_wav")
    assert [one.phase for one in socket_messages(going_on, 0)] == ["clone_start", "load_audio", "write_wav"]
    assert done.queued().passed == ()
    jobs.close()


def test_a_designed_voice_names_its_design_model() -> None:
    """Under the editor's name, where the studio once wrote another one."""
    for name in ("voice_design_model_key", "design_model_key"):
        voice = SavedVoice("x", "x", meta={name: DESIGN})
        assert (voice.design_model_key, VoiceObject.of(voice).meta["voice_design_model_key"]) == (DESIGN, DESIGN)


def test_a_role_that_is_named_as_its_speaker_leaves_the_speaker_alone(stage: Stage, editor: Editor) -> None:
    speaker = editor.call("GET", f"{API}/models/{ROLES}/capabilities")["speakers"][0]
    role = {"name": speaker, "model_key": ROLES, "language": "Auto", "speaker": speaker, "instruct": "Slowly."}
    voice = editor.call("POST", f"{VOICES}/custom-role", role)
    preset = stage.services.finder.find(name=speaker)
    assert preset is not None
    assert preset.startswith(f"{ROLES}/")
    assert stage.services.finder.find(name=voice["id"]) == f"library/{voice['id']}"
    editor.call("DELETE", f"{VOICES}/{voice['id']}?remove_files=1")
