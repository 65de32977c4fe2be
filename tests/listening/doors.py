"""The ways in, each of which makes sound of a text as its own clients do."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import httpx
import numpy as np
import soundfile
from gradio_client import Client
from mcp import Client as McpClient
from mcp.types import ResourceLink
from wyoming.audio import AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.tts import Synthesize, SynthesizeVoice

from tests.api.conftest import client_of
from tests.api.openai_stage import heard as decoded, openai_client
from tests.api.test_wyoming import events_until, samples_in, talk
from tests.conftest import SOON_S
from tests.listening.conftest import SEED, Studio
from tests.listening.ears import Sound
from tts_core.audio.stream_formats import STREAM_RATE
from tts_core.cli.main import main
from tts_core.ui.speak.handler import SpeakHandler
from tts_core.ui.widgets.forms import SpeakForm
from tts_core.ui.words import load_words

OpenAiFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


@dataclass(frozen=True)
class Asked:
    text: str
    voice: str
    speed: float = 1.0


Speak = Callable[[Studio, Asked, Path], tuple[Sound, int]]
"""A function that speaks through one way in; it may use the folder, which is the test's own."""


def page(studio: Studio, asked: Asked, _folder: Path) -> tuple[Sound, int]:
    """The finished file, which holds what was heard live."""
    services, words = studio.services, load_words("en")
    handler = SpeakHandler(services.synthesis, services.finder, services.jobs, services.live, words)
    views = list(handler.run(SpeakForm(asked.text, asked.voice, speed=asked.speed, seed=SEED), "listening"))
    (stream,) = (view.live for view in views if view.live)
    live = b"".join(stream.read())
    assert views[-1].take is not None
    samples, rate = _read(views[-1].take.path)
    np.testing.assert_allclose(np.frombuffer(live, "<i2") / 32768, samples, atol=1 / 32768)
    return samples, rate


def rest(studio: Studio, asked: Asked, _folder: Path) -> tuple[Sound, int]:
    return _read(io.BytesIO(rest_file(studio, asked, "wav")))


def rest_file(studio: Studio, asked: Asked, name: str) -> bytes:
    """The file in the format `name`, fetched from the address that the answer gives."""
    body = {"text": asked.text, "voice_id": asked.voice, "speed": asked.speed, "seed": SEED, "format": name}
    with client_of(studio.url) as client:
        answer = client.post("/api/tts/qwen3/synthesize", json=body).raise_for_status().json()["data"]
        return client.get(answer["url"]).raise_for_status().content


def gradio(studio: Studio, asked: Asked, folder: Path) -> tuple[Sound, int]:
    client = Client(
        studio.url, verbose=False, download_files=str(folder), analytics_enabled=False, httpx_kwargs={"timeout": SOON_S}
    )
    file, *_ = client.predict(text=asked.text, voice=asked.voice, speed=asked.speed, seed=SEED, api_name="/synthesize")
    client.close()
    return _read(file)


def openai(studio: Studio, asked: Asked, _folder: Path) -> tuple[Sound, int]:
    return decoded("wav", openai_whole(studio, asked, "wav")), STREAM_RATE


def openai_whole(studio: Studio, asked: Asked, name: OpenAiFormat) -> bytes:
    return (
        openai_client(studio.url)
        .audio.speech.create(
            model="tts-1",
            voice=asked.voice,
            input=asked.text,
            response_format=name,
            speed=asked.speed,
            extra_body={"seed": SEED},
        )
        .content
    )


def openai_streamed(studio: Studio, asked: Asked, name: OpenAiFormat) -> bytes:
    with openai_client(studio.url).audio.speech.with_streaming_response.create(
        model="tts-1",
        voice=asked.voice,
        input=asked.text,
        response_format=name,
        speed=asked.speed,
        extra_body={"seed": SEED},
    ) as answer:
        return b"".join(answer.iter_bytes())


def openai_events(studio: Studio, asked: Asked, name: OpenAiFormat) -> bytes:
    body = {
        "model": "tts-1",
        "voice": asked.voice,
        "input": asked.text,
        "response_format": name,
        "speed": asked.speed,
        "seed": SEED,
        "stream_format": "sse",
    }
    with client_of(studio.url) as client, client.stream("POST", "/v1/audio/speech", json=body) as answer:
        return b"".join(_deltas(answer))


def mcp(studio: Studio, asked: Asked, _folder: Path) -> tuple[Sound, int]:
    """Assistants choose no speed and no seed. Long sound is only linked."""

    async def ask() -> str:
        async with McpClient(f"{studio.url}/mcp", read_timeout_seconds=SOON_S) as client:
            answer = await client.call_tool("speak", {"text": asked.text, "voice": asked.voice, "format": "wav"})
            return str(next(part.uri for part in answer.content if isinstance(part, ResourceLink)))

    with client_of(studio.url) as client:
        return _read(io.BytesIO(client.get(anyio.run(ask)).raise_for_status().content))


def command_line(studio: Studio, asked: Asked, folder: Path) -> tuple[Sound, int]:
    settings, out = studio.services.settings, folder / "said.wav"
    options = ["--voice", asked.voice, "--speed", str(asked.speed), "--seed", str(SEED), "--out", str(out), "--force"]
    assert main(["--data-dir", str(folder / "data"), "speak", asked.text, *options]) == 0
    assert settings.paths.data_dir != folder / "data"
    return _read(out)


def wyoming(studio: Studio, asked: Asked, _folder: Path) -> tuple[Sound, int]:
    """Home Assistant chooses no speed and no seed."""

    async def ask(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(Synthesize(text=asked.text, voice=SynthesizeVoice(name=asked.voice)).event())
        return await events_until(client, AudioStop.is_type)

    events = talk(studio.services, ask)
    return np.array(samples_in(events), np.float32), AudioStart.from_event(events[0]).rate


DOORS: dict[str, Speak] = {
    "page": page,
    "rest": rest,
    "openai": openai,
    "gradio_client": gradio,
    "mcp": mcp,
    "command line": command_line,
    "wyoming": wyoming,
}
AT_ONE_SPEED = ("mcp", "wyoming")


def _deltas(answer: httpx.Response) -> Iterator[bytes]:
    for line in answer.iter_lines():
        event = json.loads(line.removeprefix("data: ")) if line else {}
        if event.get("type") == "speech.audio.delta":
            yield base64.b64decode(event["audio"])


def _read(file: str | Path | io.BytesIO) -> tuple[Sound, int]:
    samples, rate = soundfile.read(file, dtype="float32")
    return np.asarray(samples), rate
