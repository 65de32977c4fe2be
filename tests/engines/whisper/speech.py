"""Recordings in which somebody speaks: where nobody does, no model is asked."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from tts_core.domain.events import AudioChunk, Samples
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.espeak.engine import EspeakEngine
from tts_core.engines.espeak.library import SAMPLE_RATE

RATE = SAMPLE_RATE


@cache
def speech(seconds: float) -> Samples:
    """The same words again and again, for that long."""
    request = SynthesisRequest("This is what somebody says.", voice="builtin/ben", language="en-us")
    events = EspeakEngine().stream(request, cancelled=lambda: False)
    once = np.concatenate([event.samples for event in events if isinstance(event, AudioChunk)])
    return np.resize(once, round(seconds * RATE)).astype(np.float32)


def write_speech(file: Path, seconds: float) -> Path:
    soundfile.write(file, speech(seconds), RATE)
    return file
