"""Models and voices by OpenAI's names and ours: preset, designed and cloned ones, with tiny models that do speak."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.api.conftest import RunningApi, client_of
from tests.api.openai_stage import openai_client, seconds, with_engines
from tests.api.voice_stage import BASE, DESIGN, ROLES, Stage, http, ready, stage, voice_models, voice_recording
from tests.fakes import FakeEngine
from tests.serving import Serve
from tts_core.api.openai.names import openai_names
from tts_core.api.server import create_api
from tts_core.domain.text import plain_name
from tts_core.engines.builtin.engine import VOICE
from tts_core.models.files.config import PUBLISHED_SPEAKERS
from tts_core.services import Services

__all__ = ["http", "stage", "voice_models", "voice_recording"]
THEIRS = [
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
]


@pytest.fixture
def models(stage: Stage) -> Iterator[openai.OpenAI]:
    with openai_client(stage.url) as client:
        yield client


def speaker(http: httpx.Client, **fields: object) -> str:
    """The id of the voice that answers."""
    body = {"input": "hello", "response_format": "pcm", **fields}
    with http.stream("POST", "/v1/audio/speech", json=body) as answer:
        assert answer.status_code == 200, answer.read()
        next(answer.iter_bytes())
        return str(answer.headers["x-voice-id"])


def test_every_name_of_theirs_has_a_stand_in_among_the_presets_and_the_built_in_voices(services: Services) -> None:
    table = openai_names().voices
    assert sorted(table) == sorted(THEIRS)
    presets = set(map(plain_name, PUBLISHED_SPEAKERS))
    built_in = {plain_name(voice.name) for voice in services.synthesis.voices()}
    assert all(len(names & presets) == 1 and len(names & built_in) == 1 for names in table.values())


@pytest.mark.parametrize("name", THEIRS)
def test_the_built_in_voices_stand_in_where_there_is_no_model(api: RunningApi, client: httpx.Client, name: str) -> None:
    (voice_id,) = (voice["id"] for voice in client.get("/v1/audio/voices").json()["voices"] if name in voice["aliases"])
    assert speaker(client, voice=name, model="tts-1") == voice_id
    assert voice_id.startswith("builtin/")


def test_models_and_voices_are_listed_for_clients_of_both_manners(api: RunningApi, client: httpx.Client) -> None:
    listed = openai_client(api.url).models.list().data
    assert [model.id for model in listed if model.owned_by == "tts-studio"] == ["builtin", "hibari"]
    assert {"tts-1", "tts-1-hd", "gpt-4o-mini-tts"} <= {model.id for model in listed}
    assert "whisper-1" not in {model.id for model in listed}, "nothing here listens"
    assert all(model.created > 0 and model.object == "model" for model in listed)
    one = openai_client(api.url).models.retrieve("tts-1")
    assert (one.id, one.owned_by) == ("tts-1", "openai")
    voices = client.get("/v1/audio/voices").json()["voices"]
    assert (voices[0]["id"], voices[0]["name"], voices[0]["model"]) == (VOICE, "Built-in (by language)", "builtin")
    names = client.get("/v1/audio/models").json()["models"]
    assert {"id": "builtin", "name": "builtin"} in names


def test_a_better_model_takes_over_their_names(stage: Stage, http: httpx.Client) -> None:
    assert speaker(http, voice="alloy") == f"{ROLES}/serena"
    assert speaker(http, voice="onyx", model="gpt-4o-mini-tts") == f"{ROLES}/uncle_fu"
    assert speaker(http, voice="onyx", model="builtin") == "builtin/henry"
    assert speaker(http, voice="Uncle_Fu") == f"{ROLES}/uncle_fu"
    assert speaker(http) == f"{ROLES}/{PUBLISHED_SPEAKERS[0]}"


@pytest.mark.parametrize(
    ("model", "voice_id"),
    [
        ("tts-1-1106", f"{ROLES}/serena"),
        ("gpt-4o-mini-tts-2025-03-20", f"{ROLES}/serena"),
        ("openai/tts-1-hd", f"{ROLES}/serena"),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice", f"{ROLES}/serena"),
        ("qwen3-tts-12hz-1.7b-customvoice", f"{ROLES}/serena"),
        ("qwen3-tts", f"{ROLES}/serena"),
        ("Qwen/Qwen3-TTS-12Hz-1.7B", f"{ROLES}/serena"),
    ],
)
def test_a_model_is_known_by_all_its_names(
    stage: Stage, http: httpx.Client, models: openai.OpenAI, model: str, voice_id: str
) -> None:
    assert speaker(http, model=model, voice="alloy") == voice_id
    assert models.models.retrieve(model).id == model


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice", 409, "model_not_ready"),
        ("Qwen/Qwen3-TTS-12Hz-9B", 404, "unknown_model_key"),
        ("qwen", 404, "unknown_model_key"),
        ("Systran/faster-whisper-small", 400, "invalid_request"),
    ],
)
def test_a_model_that_cannot_speak_here_is_refused(
    stage: Stage, http: httpx.Client, model: str, status: int, code: str
) -> None:
    answer = http.post("/v1/audio/speech", json={"input": "hello", "model": model, "voice": "default"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, "model")


def test_default_is_any_voice_unless_one_is_called_so(stage: Stage, http: httpx.Client) -> None:
    assert speaker(http, voice="default") == f"{ROLES}/{PUBLISHED_SPEAKERS[0]}"
    assert speaker(http, voice="Default", model="builtin") == VOICE
    voice_id = ready(http, stage.recording, name="Default")
    assert speaker(http, voice="default") == f"library/{voice_id}"
    http.delete(f"/v1/audio/voices/{voice_id}")


def test_a_saved_voice_speaks_with_the_family_of_its_model(stage: Stage, http: httpx.Client) -> None:
    voice_id = ready(http, stage.recording, name="Maria of Family")
    assert speaker(http, voice="maria of family", model="qwen3-tts") == f"library/{voice_id}"
    assert speaker(http, voice="maria of family", model="Qwen/Qwen3-TTS-12Hz-0.6B-Base") == f"library/{voice_id}"


def test_a_designed_voice_needs_its_description_and_no_name(stage: Stage, http: httpx.Client) -> None:
    described = {"model": DESIGN, "voice": "alloy", "instructions": "A calm voice."}
    assert speaker(http, **described) == f"{DESIGN}/design"
    answer = http.post("/v1/audio/speech", json={"input": "hello", "model": DESIGN, "voice": "alloy"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "instructions")


def test_a_base_model_alone_cannot_speak(stage: Stage, http: httpx.Client) -> None:
    answer = http.post("/v1/audio/speech", json={"input": "hello", "model": BASE, "voice": "alloy"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "reference_required")


def test_a_cloned_voice_speaks_by_name_and_by_id(stage: Stage, http: httpx.Client) -> None:
    voice_id = ready(http, stage.recording, name="Anna of Kyiv")
    for fields in ({"voice": "anna OF kyiv"}, {"voice": {"id": voice_id}}, {"voice": voice_id, "model": BASE}):
        assert speaker(http, **fields) == f"library/{voice_id}"
    listed = http.get("/v1/audio/voices").json()["voices"]
    assert {"id": f"library/{voice_id}", "name": "Anna of Kyiv", "model": BASE} in [
        {name: voice[name] for name in ("id", "name", "model")} for voice in listed
    ]


def test_a_voice_of_ours_with_one_of_their_names_is_the_one_that_is_meant(stage: Stage, http: httpx.Client) -> None:
    voice_id = ready(http, stage.recording, name="Nova")
    assert speaker(http, voice="nova") == f"library/{voice_id}"


def test_a_voice_that_is_not_prepared_says_so(stage: Stage, http: httpx.Client) -> None:
    answer = http.post(
        "/api/tts/qwen3/voices/upload",
        files={"file": ("me.flac", stage.recording.read_bytes())},
        data={"name": "Not Yet", "model_key": BASE, "language": "english", "ref_text": "hello"},
    )
    for wanted in ("Not Yet", answer.json()["data"]["id"]):
        refused = http.post("/v1/audio/speech", json={"input": "a", "voice": wanted})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "voice_not_ready")


def test_a_real_model_streams(stage: Stage, models: openai.OpenAI) -> None:
    """Random weights find no end: only the beginning is heard, then the client leaves."""
    speech = models.audio.speech.with_streaming_response
    with speech.create(
        model=ROLES, voice="ryan", input="hello", instructions="Gladly.", response_format="wav"
    ) as answer:
        assert "x-ignored" not in answer.headers
        pieces = answer.iter_bytes()
        data = next(pieces) + next(pieces)
    assert seconds("wav", data) > 0.05


def test_a_voice_name_beyond_latin_letters_does_not_break_the_answer(services: Services, serve: Serve) -> None:
    engine = FakeEngine("fake", speakers=("声音",))
    with client_of(serve(create_api(with_engines(services, engine)))) as client:
        assert speaker(client, voice="声音") == "fake/%E5%A3%B0%E9%9F%B3"
