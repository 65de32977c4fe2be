"""OpenAI's own client speaks: it hears the first frames while the next are made, in every format, and can hang up."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from tests.api.conftest import RunningApi, client_of
from tests.api.openai_stage import PADDING_S, HeldEngine, OwnSpeedEngine, heard, openai_client, seconds, with_engines
from tests.api.raw_http import RawServer
from tests.api.test_speech import SECRET, TellTale
from tests.conftest import wait_until
from tests.engines.qwen.test_engine import Lost
from tests.fakes import EndlessEngine, FakeEngine, tone
from tests.serving import Serve
from tts_core.api.server import create_api
from tts_core.api.streams import Streams
from tts_core.audio.stream_formats import STREAM_FORMATS, STREAM_RATE
from tts_core.domain.engine import CancelCheck, Engine, never
from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.values import StopReason, SynthesisRequest
from tts_core.platform.job import Job, JobState
from tts_core.services import Services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis

TEXT = "abcdefghij"
"""Takes a second to say."""
Speak = Callable[..., bytes]


@pytest.fixture
def speaking(services: Services, serve: Serve) -> Callable[[Engine], openai.OpenAI]:
    return lambda engine: openai_client(serve(create_api(with_engines(services, engine))))


@pytest.fixture
def spoken(api: RunningApi) -> Speak:
    """The built-in voice's answer."""
    client = openai_client(api.url)

    def speak(**fields: Any) -> bytes:
        return client.audio.speech.create(
            **{"model": "tts-1", "voice": "alloy", "input": "Hello there.", **fields}
        ).content

    return speak


def only_job(services: Services) -> Job:
    (job,) = services.jobs.jobs()
    return job


@pytest.mark.parametrize("name", sorted(STREAM_FORMATS.keys() - {"flac"}))
def test_the_first_bytes_arrive_while_the_rest_is_not_made_yet(services: Services, serve: Serve, name: Any) -> None:
    engine = HeldEngine()
    client = openai_client(serve(create_api(with_engines(services, engine))))
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=TEXT, response_format=name
    ) as answer:
        assert answer.headers["content-type"] == STREAM_FORMATS[name].mime
        pieces = answer.iter_bytes()
        data = next(pieces)
        assert (len(data) > 0, engine.made) == (True, 2)
        engine.heard.set()
        data += b"".join(pieces)
    assert engine.made == len(TEXT)
    samples = heard(name, data)
    assert len(samples) / STREAM_RATE == pytest.approx(1, abs=PADDING_S)
    middle = samples[STREAM_RATE // 4 : -STREAM_RATE // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * STREAM_RATE / len(middle) == pytest.approx(200, abs=4)


@pytest.mark.parametrize("name", ["wav", "pcm", "flac"])
def test_lossless_sound_is_what_the_engine_made(speaking: Callable[[Engine], openai.OpenAI], name: Any) -> None:
    answer = speaking(FakeEngine()).audio.speech.create(model="tts-1", voice="tone", input="abc", response_format=name)
    expected = np.concatenate([tone(chunk) for chunk in range(3)])
    np.testing.assert_allclose(heard(name, answer.content), expected, atol=1 / 32768)


def test_the_built_in_voice_answers_with_mp3_when_nothing_is_said(spoken: Speak) -> None:
    assert 0.5 < seconds("mp3", spoken()) < 2


def test_events_carry_the_same_bytes_and_what_was_used(services: Services, serve: Serve) -> None:
    engine = HeldEngine()
    client = openai_client(serve(create_api(with_engines(services, engine))))
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input=TEXT, response_format="pcm", stream_format="sse"
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines() if line)
        events = [json.loads(next(lines).removeprefix("data: "))]
        assert engine.made == 2
        engine.heard.set()
        events += [json.loads(line.removeprefix("data: ")) for line in lines]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    data = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert len(data) == 2 * STREAM_RATE
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 10, "output_tokens": 13, "total_tokens": 23},
        "stop_reason": "complete",
        "finish_reason": "stop",
    }


def test_the_async_client_streams_too(services: Services, serve: Serve) -> None:
    engine = HeldEngine()
    url = serve(create_api(with_engines(services, engine)))

    async def speak() -> bytes:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", timeout=120) as client:
            speech = client.audio.speech.with_streaming_response
            async with speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="wav") as answer:
                pieces = answer.iter_bytes()
                data = await anext(pieces)
                assert engine.made == 2
                engine.heard.set()
                return data + b"".join([piece async for piece in pieces])

    assert seconds("wav", asyncio.run(speak())) == pytest.approx(1)


@pytest.mark.parametrize("speed", [0.25, 0.8, 1.0, 2.0, 4.0])
def test_every_voice_speaks_at_any_speed(speaking: Callable[[Engine], openai.OpenAI], speed: float) -> None:
    engine = OwnSpeedEngine()
    fields: Any = {"model": "tts-1", "voice": "tone", "input": TEXT, "response_format": "pcm", "speed": speed}
    samples = heard("pcm", speaking(engine).audio.speech.create(**fields).content)
    assert len(samples) / STREAM_RATE == pytest.approx(1 / speed, rel=0.1)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * STREAM_RATE / len(samples) == pytest.approx(200, abs=8), "the pitch stays"
    assert engine.seen[0].speed == 1.0


def test_an_engine_that_knows_speeds_is_asked_and_what_it_cannot_is_done_to_its_sound(
    speaking: Callable[[Engine], openai.OpenAI],
) -> None:
    engine = FakeEngine()  # makes the same at any speed, so only the rest is seen in its sound
    client = speaking(engine)
    lengths = [seconds("pcm", client.audio.speech.create(**_said(speed)).content) for speed in (0.25, 0.5, 1.5, 3.0)]
    assert [request.speed for request in engine.seen] == [0.5, 0.5, 1.5, 2.0]
    assert lengths == [pytest.approx(length, rel=0.1) for length in (2.0, 1.0, 1.0, 1 / 1.5)]


def _said(speed: float) -> Any:
    return {"model": "tts-1", "voice": "tone", "input": TEXT, "response_format": "pcm", "speed": speed}


def test_instructions_reach_a_voice_that_follows_them_and_are_left_out_elsewhere(
    services: Services, serve: Serve
) -> None:
    able, unable = FakeEngine("able", speakers=("Able",), supports_instruct=True), FakeEngine("not", speakers=("Not",))
    url = serve(create_api(with_engines(services, able, unable)))
    with client_of(url) as client:
        answers = {
            voice: client.post("/v1/audio/speech", json={"input": "a", "voice": voice, "instructions": "Softly."})
            for voice in ("Able", "Not")
        }
    assert [answer.status_code for answer in answers.values()] == [200, 200]
    assert [answer.headers["x-voice-id"] for answer in answers.values()] == ["able/able", "not/not"]
    assert "x-ignored" not in answers["Able"].headers
    assert answers["Not"].headers["x-ignored"] == "instructions"
    assert (able.seen[0].instruct, unable.seen[0].instruct) == ("Softly.", "")


def test_language_and_seed_can_be_said_and_other_fields_do_not_matter(
    speaking: Callable[[Engine], openai.OpenAI],
) -> None:
    engine = FakeEngine()
    extra = {"language": "Chinese", "seed": 7, "temperature": 1, "user": "me", "speed": None}
    speaking(engine).audio.speech.create(model="tts-1", voice={"id": "fake/tone"}, input="a", extra_body=extra)
    assert (engine.seen[0].language, engine.seen[0].seed, engine.seen[0].voice) == ("zh", 7, "fake/tone")


def test_what_other_programs_send_is_understood(spoken: Speak, api: RunningApi) -> None:
    """Bodies as Open WebUI and SillyTavern send them."""
    for body in (
        {"input": "Hello.", "voice": "alloy", "model": "tts-1"},
        {"input": "Hello.", "response_format": "mp3", "voice": "Clara", "speed": 1, "model": "tts-1"},
        {"input": "Hello."},
        {"input": "Hello.", "voice": "", "model": ""},
    ):
        answer = httpx.post(f"{api.url}/v1/audio/speech", json=body, timeout=120, headers={"Authorization": "Bearer x"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg"), answer.text
        assert seconds("mp3", answer.content) > 0.3


def test_a_finished_take_is_not_kept_and_its_job_tells_no_text(services: Services, serve: Serve) -> None:
    client = openai_client(serve(create_api(services)))
    client.audio.speech.create(model="tts-1", voice="alloy", input=SECRET)
    wait_until(lambda: only_job(services).state.is_over)
    assert only_job(services).state is JobState.DONE
    assert "plums" not in str(only_job(services))
    assert list(services.settings.paths.outputs_dir.iterdir()) == []


def test_hanging_up_stops_the_engine_and_leaves_nothing(services: Services, serve: Serve) -> None:
    client = openai_client(serve(create_api(with_engines(services, EndlessEngine()))))
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="On and on.") as answer:
        assert next(answer.iter_bytes())
        assert only_job(services).state is JobState.RUNNING
    wait_until(lambda: only_job(services).state is JobState.CANCELLED)
    wait_until(lambda: not list(services.settings.paths.outputs_dir.iterdir()))


class AskedEngine(FakeEngine):
    """Keeps how its last request is asked whether it was cancelled."""

    cancelled: CancelCheck = staticmethod(never)

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        self.cancelled = cancelled
        return super().stream(request, cancelled=cancelled)


def test_hanging_up_before_there_is_sound_leaves_the_queue(services: Services, serve: Serve) -> None:
    engine, queue = AskedEngine(), SpeechQueue(max_waiting=1)
    engine.go.clear()
    synthesis = Synthesis([engine], queue, services.outputs, services.settings.limits)
    server = RawServer(serve(create_api(dataclasses.replace(services, synthesis=synthesis))))
    try:
        with unread(server, "abc"):
            wait_until(lambda: bool(engine.seen))
            with unread(server, "abc"):
                wait_until(lambda: queue.waiting == 1)
            wait_until(lambda: queue.waiting == 0)
        wait_until(engine.cancelled)
        engine.go.set()
        wait_until(lambda: all(job.state is JobState.CANCELLED for job in services.jobs.jobs()))
    finally:
        engine.go.set()
    assert len(engine.seen) == 1


@contextmanager
def unread(server: RawServer, text: str) -> Iterator[None]:
    """Somebody asks and reads nothing of the answer, then hangs up."""
    content = json.dumps({"input": text, "response_format": "wav"}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: application/json\r\n"
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        yield


def test_who_does_not_read_holds_nobody_up(services: Services, serve: Serve) -> None:
    """12 MB of sound fit in no buffer on the way, yet the engine is free for the next one."""
    url = serve(create_api(with_engines(services, FakeEngine())))
    with unread(RawServer(url), "a" * 2500):
        wait_until(services.jobs.jobs)
        assert seconds("pcm", openai_client(url).audio.speech.create(**_said(1.0)).content) == pytest.approx(1)


def test_who_does_not_read_is_given_up(services: Services, serve: Serve, log_file: Path) -> None:
    url = serve(create_api(with_engines(services, FakeEngine()), Streams(send_timeout_s=1)))
    with unread(RawServer(url), "a" * 2500):
        wait_until(lambda: "reads no more" in log_file.read_text(encoding="utf-8"))


def test_a_job_that_is_cancelled_cuts_the_answer(services: Services, serve: Serve) -> None:
    engine = HeldEngine()
    url = serve(create_api(with_engines(services, engine)))
    body = {"input": TEXT, "response_format": "pcm"}
    with client_of(url) as client, client.stream("POST", "/v1/audio/speech", json=body) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        client.post(f"/api/jobs/{only_job(services).key}/cancel")
        engine.heard.set()
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    assert only_job(services).state is JobState.CANCELLED


def test_what_breaks_midway_breaks_the_connection(services: Services, serve: Serve) -> None:
    url = serve(create_api(with_engines(services, FakeEngine(fail_at=3))))
    with client_of(url) as client, pytest.raises(httpx.RemoteProtocolError):
        client.post("/v1/audio/speech", json={"input": TEXT, "response_format": "pcm"})


def test_what_breaks_midway_is_an_event_where_events_are_wanted(services: Services, serve: Serve) -> None:
    url = serve(create_api(with_engines(services, FakeEngine(fail_at=3))))
    with client_of(url) as client:
        answer = client.post("/v1/audio/speech", json={"input": TEXT, "response_format": "pcm", "stream_format": "sse"})
    last = json.loads(answer.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert (last["error"]["code"], last["error"]["type"]) == ("engine_failed", "server_error")


def test_what_breaks_before_there_is_sound_has_a_status(speaking: Callable[[Engine], openai.OpenAI]) -> None:
    engine = FakeEngine(fail_at=0)
    with pytest.raises(openai.InternalServerError) as failure:
        speaking(engine).audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
    assert (failure.value.status_code, failure.value.code) == (503, "engine_failed")
    assert len(engine.seen) == 1, "the client was told that another try helps nothing"


def test_an_answer_ends_where_the_model_loses_its_way(services: Services, serve: Serve) -> None:
    """What was heard can't be taken back, so no second attempt follows."""
    engine = Lost(7)
    url = serve(create_api(with_engines(services, engine)))
    body = {"input": "abc", "seed": 7, "response_format": "pcm", "stream_format": "sse"}
    with client_of(url) as client:
        answer = client.post("/v1/audio/speech", json=body)
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.strip().split("\n\n")]
    assert events[-1]["stop_reason"] == "loop"
    assert sum(len(base64.b64decode(event["audio"])) for event in events[:-1]) == 3 * 2 * len(tone())
    assert len(engine.seen) == 1
    assert list(services.settings.paths.outputs_dir.iterdir()) == []


def test_a_text_is_read_as_asked_and_a_seed_of_minus_one_is_a_new_one(services: Services, serve: Serve) -> None:
    engine = FakeEngine()
    with client_of(serve(create_api(with_engines(services, engine)))) as client:
        for asked in ({"seed": -1}, {"read_as": "plain"}):
            client.post("/v1/audio/speech", json={"input": "**a**", "voice": "FAKE/tone", **asked}).raise_for_status()
    assert [(request.text, request.seed) for request in engine.seen] == [("a", None), ("**a**", None)]


class Brief(FakeEngine):
    """Says so little that no encoder has bytes before the end, and is cut there."""

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        yield AudioChunk(tone()[:100])
        yield Finished(StopReason.MAX_LENGTH, request.seed)


def test_a_short_take_says_ahead_of_its_bytes_that_it_was_cut(services: Services, serve: Serve) -> None:
    with client_of(serve(create_api(with_engines(services, Brief())))) as client:
        answer = client.post("/v1/audio/speech", json={"input": "a", "voice": "tone"})
        assert answer.headers["x-finish-reason"] == "length"
        body = {"input": "a", "voice": "tone", "stream_format": "sse"}
        assert '"finish_reason":"length"' in client.post("/v1/audio/speech", json=body).text.replace(" ", "")


def test_no_text_reaches_the_log(services: Services, serve: Serve, log_file: Path) -> None:
    def ask_everything(url: str) -> list[int]:
        bodies: list[Any] = [
            {"input": SECRET},
            {"input": [SECRET]},
            {"input": "a", "instructions": SECRET},
            {"input": "a", "voice": SECRET},
            {SECRET: SECRET},
            SECRET,
        ]
        with client_of(url) as client:
            return [client.post("/v1/audio/speech", json=body).status_code for body in bodies]

    assert ask_everything(serve(create_api(services))) == [200, 400, 200, 404, 400, 400]
    assert ask_everything(serve(create_api(with_engines(services, TellTale()))))[0] == 500
    log = log_file.read_text(encoding="utf-8")
    assert "KeyError" in log
    assert "plums" not in log
