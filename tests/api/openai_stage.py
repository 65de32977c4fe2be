"""OpenAI's own client against the studio, and engines that show when what was made left."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

import av
import numpy as np
import numpy.typing as npt
import openai

from tests.fakes import FakeEngine, tone
from tts_core.audio.stream_formats import STREAM_RATE
from tts_core.domain.engine import CancelCheck, Engine
from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.values import Capabilities, StopReason, SynthesisRequest
from tts_core.services import Services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis

PADDING_S = 0.1
"""What a codec may add to the sound."""


@dataclass
class HeldEngine(FakeEngine):
    """Goes on after its second chunk only when the test has heard something."""

    heard: Event = field(default_factory=Event)
    made: int = 0
    """Chunks."""

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        for chunk in range(len(request.text)):
            if chunk == 2:
                self.heard.wait(timeout=120)
            if cancelled():
                yield Finished(StopReason.CANCELLED, request.seed)
                return
            self.made += 1
            yield AudioChunk(tone(chunk))
        yield Finished(StopReason.COMPLETE, request.seed)


@dataclass
class OwnSpeedEngine(FakeEngine):
    """Speaks at its own speed, as models do."""

    def capabilities(self, voice: str | None = None) -> Capabilities:
        return dataclasses.replace(super().capabilities(voice), supports_speed=False)


def with_engines(services: Services, *engines: Engine) -> Services:
    """The services as they are, with these engines."""
    limits = services.settings.limits
    synthesis = Synthesis(engines, SpeechQueue(limits.max_waiting), services.outputs, limits)
    return dataclasses.replace(services, synthesis=synthesis)


def openai_client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="not needed here", timeout=120)


def heard(name: str, data: bytes) -> npt.NDArray[np.float32]:
    """Mono samples at STREAM_RATE of a file in the format `name`."""
    if name == "pcm":
        return (np.frombuffer(data, dtype="<i2") / 32768).astype(np.float32)
    to_mono = av.AudioResampler(format="flt", layout="mono", rate=STREAM_RATE)
    with av.open(io.BytesIO(data)) as container:
        frames = [piece for frame in container.decode(audio=0) for piece in to_mono.resample(frame)]
    frames += to_mono.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32)


def seconds(name: str, data: bytes) -> float:
    return len(heard(name, data)) / STREAM_RATE
