"""Long texts, pauses and readings over HTTP: the preview, the lexicon, and the doors that speak with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.api.conftest import API, client_of
from tests.api.openai_stage import openai_client
from tests.fakes import FakeEngine
from tests.serving import Serve
from tts_core.api.server import create_api
from tts_core.audio.stream_formats import STREAM_RATE
from tts_core.domain.engine import CancelCheck
from tts_core.domain.events import EngineEvent
from tts_core.domain.values import SynthesisRequest
from tts_core.services import Services
from tts_core.speech.plan.lexicon import LexiconEntry
from tts_core.speech.plan.plan import plan
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis

PREVIEW, LEXICON = "/api/text/preview", "/api/lexicon"
LONG = "The rain fell on the long road to the sea all day. Nobody came to the door of the old house. " * 5


@dataclass(frozen=True)
class Doors:
    url: str
    engine: FakeEngine
    services: Services
    http: httpx.Client


@pytest.fixture
def doors(services: Services, serve: Serve) -> Iterator[Doors]:
    engine = FakeEngine()
    limits = services.settings.limits
    synthesis = Synthesis([engine], SpeechQueue(4), services.outputs, limits, services.lexicon.lexicon)
    services = dataclasses.replace(services, synthesis=synthesis)
    url = serve(create_api(services))
    with client_of(url) as client:
        yield Doors(url, engine, services, client)


def test_a_preview_shows_the_segments_without_speaking(doors: Doors) -> None:
    doors.services.lexicon.replace([LexiconEntry("Nguyen", "win")])
    text = "**Nguyen** came. [pause 2s] [[SQL|Sequel]] ran [pause x] on. [pause 99s]"
    answer = doors.http.post(PREVIEW, json={"text": text, "speed": 2.0}).json()
    data = answer["data"]
    assert [one["text"] for one in data["segments"]] == ["Nguyen came.", "SQL ran [pause x] on."]
    assert [one["spoken"] for one in data["segments"]] == ["win came.", "Sequel ran [pause x] on."]
    assert [one["pause_after_seconds"] for one in data["segments"]] == [2.0, 10.0]
    assert data["ignored"] == ["[pause 99s]"]
    assert data["total_seconds"] == pytest.approx(
        12 + sum(one["expected_seconds"] for one in data["segments"]), abs=0.1
    )
    assert doors.engine.seen == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": "[pause]"}, 422, "empty_text"),
        ({"text": "a" * 20_001}, 422, "text_too_long"),
        ({"text": "a", "voice_id": "no/body"}, 404, "voice_not_found"),
        ({"text": "a", "split": "often"}, 422, "invalid_request"),
        ({"text": "a", "voice_id": "fake/tone", "speaker": "Tone"}, 422, "invalid_request"),
    ],
)
def test_a_preview_refuses_what_could_not_be_spoken(doors: Doors, body: object, status: int, code: str) -> None:
    answer = doors.http.post(PREVIEW, json=body)
    assert (answer.status_code, answer.json()["detail"]) == (status, code)


def test_the_lexicon_is_read_and_written_with_its_revision(doors: Doors) -> None:
    assert doors.http.get(LEXICON).json()["data"] == {"revision": 0, "entries": []}
    entry = {"term": "SQL", "reading": "sequel", "voices": ["fake/tone"]}
    written = doors.http.put(LEXICON, json={"entries": [entry], "revision": 0}).json()["data"]
    assert written == doors.http.get(LEXICON).json()["data"]
    assert written["entries"][0] == {
        **entry,
        "language": "",
        "whole_word": True,
        "match_case": False,
        "note": "",
        "enabled": True,
    }
    stale = doors.http.put(LEXICON, json={"entries": [], "revision": 0})
    assert (stale.status_code, stale.json()["detail"]) == (409, "lexicon_outdated")
    wrong = doors.http.put(LEXICON, json={"entries": [{"term": " ", "reading": "x"}]})
    assert (wrong.status_code, wrong.json()["detail"]) == (422, "invalid_request")
    assert doors.http.get(LEXICON).json()["data"]["revision"] == 1
    doors.http.post(f"{API}/synthesize", json={"text": "SQL."})
    assert doors.engine.seen[-1].text == "sequel."


def test_a_pause_adds_its_length_at_every_door_and_is_in_no_engines_input(doors: Doors) -> None:
    texts = "Hello there. How are you?", "Hello there. [pause 0.5s] How are you?"
    spoken = len("Hello there.") * 0.1 + len("How are you?") * 0.1
    take = doors.http.post(f"{API}/synthesize", json={"text": texts[1]}).json()["data"]
    assert take["duration_seconds"] == pytest.approx(spoken + 0.5, abs=0.005)
    client = openai_client(doors.url)
    pcm = client.audio.speech.create(model="tts-1", voice="fake/tone", input=texts[1], response_format="pcm").content
    assert len(pcm) / 2 / STREAM_RATE == pytest.approx(spoken + 0.5, abs=0.005)
    assert {request.text for request in doors.engine.seen} == {"Hello there.", "How are you?"}
    doors.http.post(f"{API}/synthesize", json={"text": texts[1], "split": "never"})
    assert doors.engine.seen[-1].text == texts[1]


def test_a_long_text_comes_out_of_every_door_as_it_was_planned(doors: Doors) -> None:
    planned = plan(LONG)
    seconds = sum(len(one.spoken) * 0.1 + one.pause_after_s for one in planned.segments)
    take = doors.http.post(f"{API}/synthesize", json={"text": LONG}).json()["data"]
    assert take["duration_seconds"] == pytest.approx(seconds, abs=0.01)
    pcm = openai_client(doors.url).audio.speech.create(
        model="tts-1", voice="fake/tone", input=LONG, response_format="pcm"
    )
    assert len(pcm.content) / 2 / STREAM_RATE == pytest.approx(seconds, abs=0.01)
    assert [request.text for request in doors.engine.seen] == [one.spoken for one in planned.segments] * 2


@dataclass
class PatientEngine(FakeEngine):
    """Begins its second call only when the test has what the first one made."""

    received: Event = field(default_factory=Event)

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        if len(self.seen) > 1:
            assert self.received.wait(timeout=120)
        yield from super()._speak(request, cancelled)


def test_the_first_segment_is_heard_before_the_second_one_is_made(services: Services, serve: Serve) -> None:
    engine = PatientEngine()
    limits = services.settings.limits
    synthesis = Synthesis([engine], SpeechQueue(4), services.outputs, limits)
    url = serve(create_api(dataclasses.replace(services, synthesis=synthesis)))
    body = {"model": "tts-1", "voice": "fake/tone", "input": LONG * 8, "response_format": "pcm"}
    with client_of(url) as client, client.stream("POST", "/v1/audio/speech", json=body) as answer:
        pieces = answer.iter_bytes()
        received = 0
        while received < 10 * 2 * STREAM_RATE:  # ten of the first segment's seconds
            received += len(next(pieces))
        assert len(engine.seen) == 1
        engine.received.set()
        received += sum(map(len, pieces))
    planned = plan(body["input"])
    seconds = sum(len(one.spoken) * 0.1 + one.pause_after_s for one in planned.segments)
    assert received / 2 / STREAM_RATE == pytest.approx(seconds, abs=0.01)


def test_no_text_and_no_term_stands_in_the_log_or_in_a_job(doors: Doors, log_file: Path) -> None:
    entry = {"term": "plums", "reading": "secretive plums", "note": "icebox"}
    doors.http.put(LEXICON, json={"entries": [entry]})
    doors.http.post(PREVIEW, json={"text": "The plums in the icebox. [pause zzz]"})
    doors.http.post(f"{API}/synthesize", json={"text": f"The plums in the icebox. {LONG}"})
    written = log_file.read_text() + doors.http.get("/api/jobs").text
    assert "speaking" in written
    for word in ("plums", "icebox", "secretive", "Nobody"):
        assert word not in written
