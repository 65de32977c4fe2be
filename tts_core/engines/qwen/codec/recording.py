"""A recording as the codec and the speaker encoder take it: one channel, of a length and rate that can be computed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tts_core.domain.errors import InvalidRequest, InvalidValue
from tts_core.domain.events import Samples

MIN_SECONDS = 0.1
"""The speaker encoder mirrors its input at the ends; this much is needed to do so."""
MAX_SECONDS = 300.0
"""Memory of the codec encoder grows with the length: about 30 MB a second at the published size."""
MIN_RATE, MAX_RATE = 4_000, 768_000
"""Sample rates that are taken, in hertz."""


def mono(audio: npt.NDArray[np.floating], sample_rate: int) -> Samples:
    """The mean of the channels, fp32. Raises InvalidValue or InvalidRequest for a recording that can't be used."""
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise InvalidValue(name="The recording's sample rate", low=MIN_RATE, high=MAX_RATE)
    samples = audio if audio.ndim == 1 else audio.mean(axis=-1)
    if not MIN_SECONDS <= len(samples) / sample_rate <= MAX_SECONDS:
        raise InvalidValue(name="The recording's length in seconds", low=MIN_SECONDS, high=MAX_SECONDS)
    if not np.isfinite(samples).all():
        raise InvalidRequest(reason="the recording holds values that are no numbers.")
    return samples.astype(np.float32)
