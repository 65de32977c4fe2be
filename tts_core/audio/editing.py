"""Mending a recording of a voice: cut, level, join. Every function returns new samples and leaves its input alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tts_core.audio.files import resample
from tts_core.audio.judging import HOP_S, examine, frame_levels, speech_frames
from tts_core.audio.reading import Clip
from tts_core.domain.errors import InvalidValue
from tts_core.domain.events import Samples

TARGET_DB = -20.0
"""The RMS of speech after `level`."""
PEAK = 0.89
"""The highest peak after `level`: -1 dB."""
BEST_MIN_S, BEST_MAX_S = 3.0, 15.0
JOIN_GAP_S = 0.3
MARGIN_S = 0.15
"""The silence that stays before the first and after the last syllable."""
TAIL_SILENCE_S = 0.5
"""The silence put after a recording that a clone goes on from, or it may begin with its last syllable."""
INNER_PAUSE_S = 0.5
"""The length that longer pauses are shortened to."""


def trim(samples: Samples, sample_rate: int) -> Samples:
    """The samples without the silence around the speech, and with long pauses inside shortened."""
    speech = speech_frames(frame_levels(samples, sample_rate))
    places = np.flatnonzero(speech)
    if not len(places):
        return samples
    hop = HOP_S * sample_rate
    kept = np.zeros(len(samples), bool)
    margin = max(MARGIN_S, INNER_PAUSE_S / 2)
    for place in places:
        kept[max(0, round(place * hop - margin * sample_rate)) : round((place + 3) * hop + margin * sample_rate)] = True
    first = max(0, round(places[0] * hop - MARGIN_S * sample_rate))
    last = round((places[-1] + 3) * hop + MARGIN_S * sample_rate)
    kept[:first] = False
    kept[last:] = False
    return samples[kept]


def level(samples: Samples, sample_rate: int) -> Samples:
    """The speech at TARGET_DB, as far as the peaks stay below PEAK."""
    report = examine(samples, sample_rate)
    peak = float(np.abs(samples).max(initial=0.0))
    if report.speech_s == 0 or peak == 0:
        return samples
    gain = min(10 ** ((TARGET_DB - report.level_db) / 20), PEAK / peak)
    louder: Samples = (samples * np.float32(gain)).astype(np.float32)
    return louder


def best_part(samples: Samples, sample_rate: int) -> Samples:
    """The 3 to 15 seconds with the most speech, cut in pauses; the whole recording when it is shorter."""
    if len(samples) <= BEST_MAX_S * sample_rate:
        return trim(samples, sample_rate)
    levels = frame_levels(samples, sample_rate)
    speech = speech_frames(levels)
    starts, ends = _stretches(speech)
    spoken = np.concatenate([[0], np.cumsum(speech)])
    longest = round(BEST_MAX_S / HOP_S) - 2 * round(MARGIN_S / HOP_S)
    best, most = (0, longest), 0
    for start in starts:
        fitting = ends[(ends > start + BEST_MIN_S / HOP_S) & (ends <= start + longest)]
        end = int(fitting[-1]) if len(fitting) else int(start) + longest
        if (found := int(spoken[min(end, len(speech))] - spoken[start])) > most:
            best, most = (int(start), end), found
    hop, margin = HOP_S * sample_rate, round(MARGIN_S * sample_rate)
    return trim(samples[max(0, round(best[0] * hop) - margin) : round(best[1] * hop) + margin], sample_rate)


def cut(samples: Samples, sample_rate: int, start_s: float, end_s: float) -> Samples:
    """The part between two moments, seconds. Raises InvalidValue when nothing is left."""
    duration_s = len(samples) / sample_rate
    if not 0 <= start_s < end_s or start_s >= duration_s:
        raise InvalidValue(name="The part's start and end", low=0, high=f"{duration_s:.2f} s")
    return samples[round(start_s * sample_rate) : round(end_s * sample_rate)]


def append_silence(samples: Samples, sample_rate: int, seconds: float) -> Samples:
    """The samples with silence after them: a clone that goes on from the last syllable would repeat it."""
    return np.concatenate([samples, np.zeros(round(seconds * sample_rate), np.float32)])


def join(clips: Sequence[Clip]) -> Clip:
    """The clips one after the other at the highest rate among them, each at the same level, with a short gap."""
    rate = max(clip.sample_rate for clip in clips)
    gap = np.zeros(round(JOIN_GAP_S * rate), np.float32)
    parts: list[Samples] = []
    for clip in clips:
        parts += [resample(level(clip.samples, clip.sample_rate), clip.sample_rate, rate), gap]
    return Clip(np.concatenate(parts[:-1]), rate)


def _stretches(speech: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first frame of each stretch of speech, and the frame after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speech, [False]]).astype(int))).astype(np.int64)
    return edges[::2], edges[1::2]
