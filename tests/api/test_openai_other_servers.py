"""What clients of other Qwen3-TTS servers send to OpenAI's routes is obeyed, or refused; never is it another voice."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.api.openai_stage import PADDING_S, heard, openai_client, with_engines
from tests.api.voice_stage import BASE, DESIGN, ROLES, Stage, http, ready, stage, voice_models, voice_recording
from tests.fakes import FakeEngine
from tests.serving import Serve
from tts_core.api.protection import guest_rules
from tts_core.api.server import create_api
from tts_core.audio.stream_formats import STREAM_RATE
from tts_core.services import Services

__all__ = ["http", "stage", "voice_models", "voice_recording"]
ROUTE = "/v1/audio/speech"
SAID = "hello world"
FEW: dict[str, Any] = {"input": "hello", "response_format": "pcm", "seed": 3, "max_new_tokens": 6}
"""Random weights find no end by themselves."""


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(speakers=("Tone", "Ryan"), supports_instruct=True)


@pytest.fixture
def client(services: Services, serve: Serve, engine: FakeEngine) -> openai.OpenAI:
    return openai_client(serve(create_api(with_engines(services, engine))))


def spoken(client: openai.OpenAI, **extra: Any) -> bytes:
    """What OpenAI's client gets for a few more fields; it always sends a voice."""
    fields: Any = {"model": "tts-1", "voice": "default", "input": "ab", "extra_body": extra}
    return client.audio.speech.create(**fields).content


def recorded(path: Path) -> str:
    return "data:audio/flac;base64," + base64.b64encode(path.read_bytes()).decode()


def test_the_same_fields_by_other_names(client: openai.OpenAI, engine: FakeEngine) -> None:
    spoken(client, speaker="Ryan", instruct="Softly.", lang_code="z")
    (request,) = engine.seen
    assert (request.voice, request.instruct, request.language) == ("fake/ryan", "Softly.", "zh")
    spoken(client, lang_code="en", language="Chinese")
    assert engine.seen[-1].language == "zh"


def test_sampling_reaches_the_engine(client: openai.OpenAI, engine: FakeEngine) -> None:
    spoken(client, temperature=0.5, top_k=20, top_p=0.8, repetition_penalty=1.2, max_new_tokens=99)
    sampling, decoding = engine.seen[-1].sampling, engine.seen[-1].decoding
    assert (sampling.temperature, sampling.top_k, sampling.top_p, sampling.repetition_penalty) == (0.5, 20, 0.8, 1.2)
    assert (decoding.max_frames, decoding.greedy) == (99, False)
    spoken(client, temperature=0, top_k=-1)
    assert (engine.seen[-1].decoding.greedy, engine.seen[-1].sampling.top_k) == (True, 4096)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 99}, "temperature"),
        ({"task_type": "Sing"}, "task_type"),
        ({"speaker": "Ryan", "voice": "Tone"}, "speaker"),
        ({"sample_rate": 44_100, "response_format": "opus"}, "sample_rate"),
        ({"sample_rate": 7, "response_format": "wav"}, "sample_rate"),
        ({"ref_text": SAID}, "ref_audio"),
        ({"ref_audio": "https://example.com/a.wav"}, "ref_audio"),
        ({"ref_audio": "file:///etc/passwd"}, "ref_audio"),
        ({"ref_audio": "/etc/passwd"}, "ref_audio"),
        ({"ref_audio": "%%"}, "ref_audio"),
        ({"references": [{"audio_path": "http://a/b.wav"}]}, "references"),
        ({"references": [{"audio_path": "AAAA"}, {"audio_path": "AAAA"}]}, "references"),
        ({"references": [{"text": SAID}]}, "references"),
        ({"speaker_embedding": [0.1]}, "speaker_embedding"),
        ({"ref_audio": "AAAA", "task_type": "CustomVoice"}, "task_type"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(
    client: openai.OpenAI, engine: FakeEngine, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        spoken(client, **fields)
    assert (refused.value.status_code, refused.value.param) == (400, param)
    assert engine.seen == []


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_sound_has_the_rate_that_is_asked_for(client: openai.OpenAI, name: str, rate: int) -> None:
    fields: Any = {"response_format": name.upper(), "extra_body": {"sample_rate": rate}}  # capitals, as some write it
    create = client.audio.speech.with_raw_response.create
    answer = create(model="tts-1", voice="tone", input="abcdefghij", **fields)
    assert answer.headers["x-sample-rate"] == str(rate)
    samples, shown = heard(name, answer.content), rate if name == "pcm" else STREAM_RATE
    assert len(samples) / shown == pytest.approx(1, abs=2 * PADDING_S)


def test_a_recording_in_the_request_is_the_voice(stage: Stage, http: httpx.Client) -> None:
    """It sounds like the saved voice of the same recording, and nothing of it is kept."""
    voice_id = ready(http, stage.recording, name="Reference", ref_text=SAID)
    saved = http.post(ROUTE, json={**FEW, "voice": voice_id})
    before = {voice.id for voice in stage.services.voices.voices()}
    ways: list[dict[str, Any]] = [
        {"ref_audio": recorded(stage.recording), "ref_text": SAID, "voice": "alloy"},
        {"references": [{"audio_path": recorded(stage.recording), "text": SAID}], "task_type": "Base"},
        {"ref_audio": recorded(stage.recording).partition(",")[2], "ref_text": SAID, "model": "qwen3-tts"},
    ]
    for fields in ways:
        answer = http.post(ROUTE, json={**FEW, "language": "english", **fields})
        assert (answer.status_code, answer.headers["x-voice-id"]) == (200, f"{BASE}/clone")
        assert answer.content == saved.content
    timbre = http.post(ROUTE, json={**FEW, "ref_audio": recorded(stage.recording), "language": "english"})
    assert (timbre.status_code, timbre.content == saved.content) == (200, False)
    assert {voice.id for voice in stage.services.voices.voices()} == before


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"ref_audio": "AAAA"}, 400, "audio_unreadable"),
        ({"task_type": "Base"}, 400, "reference_required"),
        ({"task_type": "VoiceDesign"}, 400, "instruct_required"),
        ({"task_type": "CustomVoice", "model": BASE}, 400, "invalid_request"),
        ({"ref_audio": "AAAA", "model": ROLES}, 400, "invalid_request"),
    ],
)
def test_a_task_that_lacks_something_is_refused(
    stage: Stage, http: httpx.Client, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = http.post(ROUTE, json={**FEW, **fields})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("fields", "voice_id"),
    [
        ({"task_type": "VoiceDesign", "instructions": "A calm voice."}, f"{DESIGN}/design"),
        ({"task_type": "CustomVoice", "voice": "vivian"}, f"{ROLES}/vivian"),
        ({"task_type": "custom_voice"}, f"{ROLES}/serena"),
    ],
)
def test_a_task_chooses_the_model(stage: Stage, http: httpx.Client, fields: dict[str, Any], voice_id: str) -> None:
    answer = http.post(ROUTE, json={**FEW, **fields})
    assert (answer.status_code, answer.headers["x-voice-id"]) == (200, voice_id)


def test_a_voice_is_made_spoken_with_and_deleted(stage: Stage, http: httpx.Client) -> None:
    """By OpenAI's client, with the fields of vLLM-Omni's server."""
    content = stage.recording.read_bytes()
    with openai_client(stage.url) as client:
        made = client.audio.voices.create(
            name="Made here",
            audio_sample=("me.flac", content),
            consent="cons_1234",
            extra_body={"ref_text": SAID, "speaker_description": "warm"},
        )
        assert (made.object, made.type, made.name) == ("audio.voice", "audio_sample", "Made here")
        saved = stage.services.voices.voice(made.id)
        assert (saved.ref_text, saved.model_key, saved.meta["consent"]["note"]) == (SAID, BASE, "cons_1234")
        assert http.post(ROUTE, json={**FEW, "voice": "made here"}).headers["x-voice-id"] == f"library/{made.id}"
        assert made.id in {voice["id"].removeprefix("library/") for voice in http.get("/v1/voices").json()["voices"]}
        assert client.audio.voices.delete(made.id).deleted is True
        with pytest.raises(openai.NotFoundError):
            client.audio.voices.delete(made.id)
    assert http.post(ROUTE, json={**FEW, "voice": made.id}).status_code == 404
    assert stage.services.voices.restore(made.id).name == "Made here", "a deleted voice can be brought back"
    stage.services.voices.delete(made.id)


def test_a_voice_can_be_deleted_by_its_name(stage: Stage, http: httpx.Client) -> None:
    form = {"name": "By name", "consent": "Anna agreed"}
    made = http.post("/v1/audio/voices", data=form, files={"audio_sample": ("a", stage.recording.read_bytes())})
    assert (made.status_code, made.json()["success"], made.json()["voice"]["name"]) == (200, True, "By name")
    assert stage.services.voices.voice(made.json()["id"]).x_vector_only_mode, "without a text only the timbre is taken"
    assert http.delete("/v1/audio/voices/by%20name").json()["id"] == made.json()["id"]
    assert http.delete("/v1/audio/voices/builtin/aria").status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 409, "consent_missing"),
        ({"consent": "  "}, 409, "consent_missing"),
        ({"consent": "yes", "type": "prompt"}, 400, "invalid_request"),
        ({"consent": "yes", "model": ROLES}, 400, "invalid_request"),
        ({"consent": "yes", "name": " "}, 400, "invalid_value"),
    ],
)
def test_a_voice_that_may_not_be_made_is_refused(
    stage: Stage, http: httpx.Client, fields: dict[str, str], status: int, code: str
) -> None:
    before = len(stage.services.voices.voices())
    files = {"audio_sample": ("a", stage.recording.read_bytes())}
    answer = http.post("/v1/audio/voices", data={"name": "Refused", **fields}, files=files)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(stage.services.voices.voices()) == before


def test_guests_see_voices_and_neither_make_nor_delete_them() -> None:
    looks = ["/v1/voices", "/v1/audio/voices", "/v1/models/Qwen/Qwen3-TTS-12Hz-0.6B-Base"]
    assert {guest_rules.of_guest("GET", path) for path in looks} == {guest_rules.Right.REST}
    assert guest_rules.of_guest("POST", "/v1/audio/translations") is guest_rules.Right.WORK
    for method, path in (("POST", "/v1/audio/voices"), ("DELETE", "/v1/audio/voices/abc"), ("POST", "/v1/voices")):
        assert guest_rules.of_guest(method, path) is None
