"""Wyoming's own client speaks with the server, as Home Assistant does, and clients that mean no good."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from tests import ROOT
from tests.api.openai_stage import with_engines
from tests.conftest import wait_until
from tests.engines.whisper.speech import RATE, speech
from tests.engines.whisper.whisper_studio import KEY, whisper_studio
from tests.fakes import SAMPLE_RATE, EndlessEngine, FakeEngine, tone
from tts_core.access.visitor import Role
from tts_core.api.serving import listen
from tts_core.api.wyoming import server as wyoming_server
from tts_core.api.wyoming.server import WyomingServer, announced
from tts_core.api.wyoming.sound import IncomingSound
from tts_core.api.wyoming.wire import MAX_EVENT_BYTES
from tts_core.audio.faults import AudioUnreadable
from tts_core.audio.files import resample
from tts_core.cli.serve.wyoming import check_may_listen
from tts_core.domain.engine import Engine
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.job import JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

Result = TypeVar("Result")
SOON_S = 60.0


@asynccontextmanager
async def served(services: Services, *, private_only: bool = False) -> AsyncIterator[int]:
    """The port of a server."""
    listener = listen("127.0.0.1", 0)
    port = int(listener.getsockname()[1])
    serving = asyncio.create_task(WyomingServer(services, private_only=private_only).serve(listener))
    try:
        yield port
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        listener.close()


def talk(services: Services, what: Callable[[AsyncTcpClient], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with served(services) as port, AsyncTcpClient("127.0.0.1", port) as client:
            return await asyncio.wait_for(what(client), SOON_S)

    return asyncio.run(run())


async def events_until(client: AsyncTcpClient, last: Callable[[str], bool]) -> list[Event]:
    events: list[Event] = []
    while (event := await client.read_event()) is not None:
        events.append(event)
        if last(event.type):
            break
    return events


def samples_in(events: list[Event]) -> list[float]:
    data = b"".join(event.payload or b"" for event in events if AudioChunk.is_type(event.type))
    return [float(sample) / 32768 for sample in np.frombuffer(data, "<i2")]


def speaking(services: Services, *engines: Engine) -> Services:
    return with_engines(services, *(engines or (FakeEngine(),)))


@pytest.fixture
def listening(tmp_path: Path) -> Services:
    """With a scripted Whisper."""
    variables = {**whisper_studio(tmp_path), "TTS_STUDIO_DATA_DIR": str(tmp_path / "data")}
    return build_services(Settings.from_env(variables))


def test_it_describes_who_can_speak_and_who_can_listen(listening: Services) -> None:
    async def ask(client: AsyncTcpClient) -> Info:
        await client.write_event(Describe().event())
        (event,) = await events_until(client, Info.is_type)
        return Info.from_event(event)

    info = talk(speaking(listening, FakeEngine(speakers=("Tone", "Other"))), ask)
    (program,) = info.tts
    assert program.supports_synthesize_streaming
    assert [(voice.name, voice.description, voice.languages) for voice in program.voices] == [
        ("fake/tone", "Tone", ["zh", "en"]),
        ("fake/other", "Other", ["zh", "en"]),
    ]
    assert [model.name for model in info.asr[0].models] == [KEY]
    assert {"en", "zh", "de"} <= set(info.asr[0].models[0].languages)


def test_a_voice_that_needs_a_recording_is_not_offered(services: Services) -> None:
    async def ask(client: AsyncTcpClient) -> Info:
        await client.write_event(Describe().event())
        return Info.from_event((await events_until(client, Info.is_type))[0])

    info = talk(services, ask)
    assert "builtin/aria" in {voice.name for voice in info.tts[0].voices}
    assert "en" in info.tts[0].voices[0].languages
    assert info.asr == [], "no model here can listen"


def test_it_answers_a_ping(services: Services) -> None:
    async def ask(client: AsyncTcpClient) -> Event | None:
        await client.write_event(Ping(text="hello").event())
        return await client.read_event()

    answer = talk(services, ask)
    assert answer is not None
    assert (Pong.is_type(answer.type), answer.data) == (True, {"text": "hello"})


@pytest.mark.parametrize(
    ("voice", "voice_id", "language"),
    [
        (None, "fake/tone", "auto"),
        (SynthesizeVoice(name="fake/other"), "fake/other", "auto"),
        (SynthesizeVoice(name="Other"), "fake/other", "auto"),
        (SynthesizeVoice(name="fake/tone", speaker="Other"), "fake/other", "auto"),
        (SynthesizeVoice(language="zh-CN"), "fake/tone", "zh"),
    ],
)
def test_a_text_becomes_sound(services: Services, voice: SynthesizeVoice | None, voice_id: str, language: str) -> None:
    engine = FakeEngine(speakers=("Tone", "Other"))

    async def ask(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(Synthesize(text="abc", voice=voice).event())
        return await events_until(client, AudioStop.is_type)

    events = talk(speaking(services, engine), ask)
    start = AudioStart.from_event(events[0])
    assert (start.rate, start.width, start.channels) == (SAMPLE_RATE, 2, 1)
    assert AudioStop.is_type(events[-1].type)
    np.testing.assert_allclose(samples_in(events), np.concatenate([tone(0), tone(1), tone(2)]), atol=1 / 32768)
    assert (engine.seen[0].voice, engine.seen[0].language) == (voice_id, language)
    assert list(services.settings.paths.outputs_dir.iterdir()) == [], "nothing is kept"


def test_a_text_in_pieces_is_spoken_sentence_by_sentence(services: Services) -> None:
    """As Home Assistant sends it: the whole text comes once more, for servers that know no pieces."""
    engine = FakeEngine()

    async def ask(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="fake/tone")).event())
        for text in ("Hel", "lo. ", "How are"):
            await client.write_event(SynthesizeChunk(text=text).event())
        events = await events_until(client, AudioChunk.is_type)
        assert [request.text for request in engine.seen] == ["Hello."], "it speaks before the text is complete"
        await client.write_event(SynthesizeChunk(text=" you").event())
        await client.write_event(Synthesize(text="Hello. How are you").event())
        await client.write_event(SynthesizeStop().event())
        return events + await events_until(client, SynthesizeStopped.is_type)

    events = talk(speaking(services, engine), ask)
    assert [request.text for request in engine.seen] == ["Hello.", "How are you"]
    kinds = [event.type for event in events if not AudioChunk.is_type(event.type)]
    assert kinds == ["audio-start", "audio-stop", "synthesize-stopped"]
    assert len(samples_in(events)) == len("Hello.How are you") * len(tone())


def test_an_empty_text_in_pieces_ends_without_sound(services: Services) -> None:
    async def ask(client: AsyncTcpClient) -> list[Event]:
        for event in (SynthesizeStart(), SynthesizeChunk(text=" "), SynthesizeStop()):
            await client.write_event(event.event())
        return await events_until(client, SynthesizeStopped.is_type)

    assert [event.type for event in talk(speaking(services), ask)] == ["synthesize-stopped"]


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_sound_becomes_a_text_and_nothing_of_it_is_kept(listening: Services, rate: int) -> None:
    spoken = (resample(speech(1), RATE, rate) * 32767).astype("<i2")

    async def ask(client: AsyncTcpClient) -> Transcript:
        form = {"rate": rate, "width": 2, "channels": 1}
        await client.write_event(Transcribe(language="de").event())
        await client.write_event(AudioStart(**form).event())
        for piece in np.array_split(spoken, 10):
            await client.write_event(AudioChunk(**form, audio=piece.tobytes()).event())
        await client.write_event(AudioStop().event())
        return Transcript.from_event((await events_until(client, Transcript.is_type))[-1])

    found = talk(listening, ask)
    assert (found.text, found.language) == ("hello world", "de")
    (job,) = listening.jobs.jobs()
    assert (job.state, "hello" in str(job)) == (JobState.DONE, False)


@pytest.mark.parametrize(
    ("width", "data", "expected"),
    [
        (1, bytes([128, 255, 0, 128]), [0.49609375, -0.5]),
        (2, np.array([0, 16384, -16384, -16384], "<i2").tobytes(), [0.25, -0.5]),
        (4, np.array([1 << 30] * 4, "<i4").tobytes(), [0.5, 0.5]),
    ],
)
def test_samples_of_every_width_are_read(width: int, data: bytes, expected: list[float]) -> None:
    sound = IncomingSound()
    sound.add(AudioChunk(rate=8_000, width=width, channels=2, audio=data[: len(data) // 2]))
    sound.add(AudioChunk(rate=8_000, width=width, channels=2, audio=data[len(data) // 2 :]))
    assert (sound.clip().samples.tolist(), sound.clip().sample_rate) == (expected, 8_000)


@pytest.mark.parametrize(
    "chunk",
    [
        AudioChunk(rate=16_000, width=3, channels=1, audio=b"abc"),
        AudioChunk(rate=16_000, width=2, channels=0, audio=b""),
        AudioChunk(rate=1, width=2, channels=1, audio=b""),
    ],
)
def test_sound_of_a_form_that_nobody_sends_is_refused(chunk: AudioChunk) -> None:
    with pytest.raises(AudioUnreadable):
        IncomingSound().add(chunk)
    with pytest.raises(AudioUnreadable):
        IncomingSound().clip()


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Synthesize(text="a", voice=SynthesizeVoice(name="Nobody")).event(), "voice_not_found"),
        (Synthesize(text="a", voice=SynthesizeVoice(language="tlh")).event(), "unknown_language"),
        (Synthesize(text="!").event(), "empty_text"),
        (Event("synthesize", {}), "invalid_request"),
        (Event("synthesize", {"text": 3}), "invalid_request"),
        (Event("audio-chunk", {"rate": "a", "width": 2, "channels": 1}), "invalid_request"),
    ],
)
def test_a_failure_is_told_and_ends_the_connection(services: Services, event: Event, code: str) -> None:
    async def ask(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(event)
        return await events_until(client, lambda _type: False)

    (told,) = talk(speaking(services), ask)
    assert (Error.is_type(told.type), told.data["code"]) == (True, code)


def test_without_a_model_that_listens_it_says_which_to_get(services: Services) -> None:
    async def ask(client: AsyncTcpClient) -> list[Event]:
        form = {"rate": 16_000, "width": 2, "channels": 1}
        for event in (AudioStart(**form), AudioChunk(**form, audio=bytes(3200)), AudioStop()):
            await client.write_event(event.event())
        return await events_until(client, lambda _type: False)

    assert [event.data["code"] for event in talk(services, ask)] == ["transcriber_missing"]


def test_hanging_up_stops_the_engine(services: Services) -> None:
    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(Synthesize(text="On and on.").event())
        await events_until(client, AudioChunk.is_type)
        await client.disconnect()
        await asyncio.to_thread(wait_until, lambda: services.jobs.jobs()[0].state is JobState.CANCELLED)

    talk(speaking(services, EndlessEngine()), ask)
    wait_until(lambda: not list(services.settings.paths.outputs_dir.iterdir()))


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"null\n",
        b"{}\n",
        b'{"type": 5}\n',
        b'{"type": "ping", "data": []}\n',
        b'{"type": "ping", "data_length": "x"}\n',
        json.dumps({"type": "audio-chunk", "payload_length": MAX_EVENT_BYTES + 1}).encode() + b"\n",
        b"[" * 60_000 + b"\n",
        b"x" * 200_000,
    ],
)
def test_what_is_no_event_ends_its_connection_alone(services: Services, sent: bytes) -> None:
    async def run() -> Event | None:
        async with served(services) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            try:
                answer = await asyncio.wait_for(reader.read(), SOON_S)
            except ConnectionResetError:  # it was closed while there was more to read
                answer = b""
            assert answer == b""
            writer.close()
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await client.write_event(Ping().event())
                return await asyncio.wait_for(client.read_event(), SOON_S)

    answer = asyncio.run(run())
    assert answer is not None
    assert Pong.is_type(answer.type)


def test_who_comes_from_outside_is_not_answered(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> bytes:
        async with served(services, private_only=True) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b'{"type": "ping"}\n')
            try:
                return await asyncio.wait_for(reader.readline(), SOON_S)
            except ConnectionResetError:  # it was closed while there was more to read
                return b""
            finally:
                writer.close()

    assert b"pong" in asyncio.run(run()), "this machine is on the private network"
    monkeypatch.setattr(wyoming_server, "is_on_private_network", lambda _address: False)
    assert asyncio.run(run()) == b""


@pytest.mark.parametrize(
    ("host", "auth", "announces", "is_allowed"),
    [
        ("127.0.0.1", "auto", False, True),
        ("127.0.0.1", "auto", True, False),
        ("127.0.0.1", "on", False, False),
        ("0.0.0.0", "auto", False, False),
        ("0.0.0.0", "off", True, True),
    ],
)
def test_it_opens_nothing_that_accounts_keep_closed(
    services: Services, host: str, auth: str, announces: bool, is_allowed: bool
) -> None:
    services.login.add("me", "a long password", Role.ADMIN)
    settings = replace(services.settings, host=host, auth=auth)
    try:
        check_may_listen(settings, services, announces=announces)
    except InvalidSetting:
        assert not is_allowed
    else:
        assert is_allowed


def test_without_accounts_it_may_serve_the_private_network(services: Services) -> None:
    check_may_listen(replace(services.settings, host="0.0.0.0"), services, announces=True)


@pytest.mark.slow
def test_it_is_found_on_the_network() -> None:
    """On this machine's own interface: nothing leaves it."""

    async def find() -> AsyncServiceInfo | None:
        listener = listen("127.0.0.1", 0)
        async with announced(listener, "studio-in-a-test"):
            seeker = AsyncZeroconf(interfaces=["127.0.0.1"])
            try:
                kind = "_wyoming._tcp.local."
                found = await seeker.async_get_service_info(kind, f"studio-in-a-test.{kind}", timeout=10_000)
            finally:
                await seeker.async_close()
            assert found is None or found.port == listener.getsockname()[1]
            listener.close()
            return found

    found = asyncio.run(find())
    assert found is not None
    assert found.parsed_addresses() == ["127.0.0.1"]


@pytest.mark.slow
def test_the_command_serves_until_it_is_ended(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "tts_core", "serve-wyoming", "--port", str(port), "--data-dir", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"Wyoming is on tcp://127.0.0.1:{port} ")

        async def ask() -> list[Event]:
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await client.write_event(Synthesize(text="Hello.").event())
                return await asyncio.wait_for(events_until(client, AudioStop.is_type), SOON_S)

        assert len(samples_in(asyncio.run(ask()))) > SAMPLE_RATE // 4
    finally:
        process.terminate()
        assert process.wait(60) == 0
