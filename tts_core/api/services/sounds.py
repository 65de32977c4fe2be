"""Sound that travels as a list of numbers in JSON: checked, and as an array."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tts_core.api.schemas import RequestBody
from tts_core.api.services.numbers import Numbers
from tts_core.audio.faults import RecordingTooLong
from tts_core.audio.files import MAX_RATE, MIN_RATE
from tts_core.audio.mixing import mended
from tts_core.audio.reading import MAX_REFERENCE_S, Clip
from tts_core.domain.errors import InvalidRequest, InvalidValue

DEFAULT_RATE = 16_000
MAX_LEVEL = 1.5
"""The largest level of a sample. Decoders overshoot full scale a little; far beyond it the numbers are no samples, or
16-bit ones."""


class SoundBody(RequestBody):
    audio: Numbers = Field(description="Mono samples between -1 and 1.", examples=[[0.0, 0.01, -0.02]])
    sample_rate: int | None = Field(None, description=f"Hertz; left out, {DEFAULT_RATE}.")

    def to_clip(self) -> Clip:
        """The recording. Raises the errors of `clip_of`."""
        return clip_of(self.audio, self.sample_rate)


def clip_of(audio: Numbers, sample_rate: int | None, *, max_seconds: float = MAX_REFERENCE_S) -> Clip:
    """The recording; without a rate it has DEFAULT_RATE. Its numbers are read once its length is known to be right,
    which takes a moment: call it in a thread. Raises InvalidValue, InvalidRequest, RecordingTooLong."""
    if not audio:
        raise InvalidRequest(reason="audio: it holds no sound.")
    rate = DEFAULT_RATE if sample_rate is None else sample_rate
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidValue(name="sample_rate", low=MIN_RATE, high=MAX_RATE)
    if len(audio) > max_seconds * rate:
        raise RecordingTooLong(limit_s=round(max_seconds))
    samples = audio.values()
    if not np.isfinite(samples).all():
        raise InvalidRequest(reason="audio holds values that are no numbers.")
    if float(np.abs(samples).max(initial=0.0)) > MAX_LEVEL:
        raise InvalidRequest(reason="audio must lie between -1 and 1; divide 16-bit samples by 32768.")
    return Clip(mended(samples.astype(np.float32)), rate)
