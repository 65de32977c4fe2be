"""A guess at a speaker's gender from how high the voice lies. Many voices lie between, and then there is none."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tts_core.audio.judging import voiced_pitches
from tts_core.domain.events import Samples

Gender = Literal["female", "male"]

MALE_BELOW_HZ, FEMALE_ABOVE_HZ = 145.0, 180.0
"""The bounds of the median pitch. Read speech of men lies at about 85 to 155 Hz, of women at 165 to 255; children
lie higher."""
MIN_VOICED = 25
"""The fewest measured frames for a guess: half a second of voiced sound."""
MAX_SPREAD = 1.8
"""The widest spread of the middle half of the pitches, as a ratio: beyond it they are two voices, or errors of an
octave."""


def estimated_gender(samples: Samples, sample_rate: int) -> Gender | None:
    """The likely gender of the speaker in mono samples in [-1, 1]; None where the pitch does not decide."""
    pitches = voiced_pitches(samples, sample_rate)
    if len(pitches) < MIN_VOICED:
        return None
    low, median, high = np.percentile(pitches, (25, 50, 75))
    if high / low > MAX_SPREAD or MALE_BELOW_HZ <= median <= FEMALE_ABOVE_HZ:
        return None
    return "male" if median < MALE_BELOW_HZ else "female"
