"""The sounds of many segments become a single sound: edges trimmed and faded, pauses of exact length between them.

    joiner = Joiner(sample_rate)
    for segment in segments:
        for samples in engine:
            send(joiner.add(samples))
        send(joiner.end_segment(pause_s))

A stream and a file go through the same joiner, so that they are the same samples, however the chunks come.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tts_core.domain.events import Samples
from tts_core.speech.plan.split import PauseReason

FRAME_S, HOP_S = 0.03, 0.01
SILENCE_DB = -42.0
"""The level below which a frame is silent, relative to the loudest sample of its own segment: a fixed level would eat
the last words of quiet voices."""
KEPT_BEFORE_S, KEPT_AFTER_S = 0.03, 0.06
"""The silence that stays at a segment's edges."""
FADE_S, ZERO_WITHIN_S = 0.008, 0.005
ALL_SILENT_S = 0.25
"""The length that is left of a segment in which nothing is loud."""
_ALL_SILENT_LEVEL = 10 ** (-55 / 20)
_ONSET_LEVEL = 10 ** (-50 / 20)
_LOOKAHEAD_S = 0.5
"""The sound after the onset of a segment that shows how loud it is; its first samples are held back that long."""
_QUIET = float(10 ** (SILENCE_DB / 20))

PAUSES: Mapping[PauseReason, float] = MappingProxyType(
    {
        PauseReason.CLAUSE: 0.25,
        PauseReason.SENTENCE: 0.5,
        PauseReason.PARAGRAPH: 0.9,
        PauseReason.SCENE: 1.8,
        PauseReason.CHAPTER: 2.5,
        PauseReason.OWN: 0.0,
        PauseReason.END: 0.0,
        PauseReason.SPEAKER: 0.65,
    }
)
"""The seconds of silence by their reason; those of OWN are in the text."""
_CHINESE_SENTENCE_S = 0.45
PAUSE_FACTORS = MappingProxyType({"shorter": 0.65, "normal": 1.0, "longer": 1.35})

_TOLERATED_DB, _MOST_DB = 2.0, 3.0


def pause_seconds(reason: PauseReason, language: str = "en", factor: float = 1.0) -> float:
    """The silence after a segment for that reason, seconds."""
    is_chinese = language in ("zh", "yue") and reason is PauseReason.SENTENCE
    return (_CHINESE_SENTENCE_S if is_chinese else PAUSES[reason]) * factor


class Joiner:
    """Joins segments while they are made; for one thread at a time. The sound begins and ends as it was made, unless a
    pause stands there."""

    def __init__(self, sample_rate: int, lead_s: float = 0.0) -> None:
        """`sample_rate` is that of all sounds, hertz; `lead_s` the pause before the first of them."""
        self._rate = sample_rate
        self._before = silence(lead_s, sample_rate)
        self._keeps_start = not lead_s
        self._segment = _Segment(sample_rate, keeps_start=self._keeps_start)

    def add(self, samples: Samples) -> Samples:
        """The sound that the next samples of the segment let go, mono float32; it may be empty."""
        return self._after_lead(self._segment.add(samples))

    def end_segment(self, pause_s: float, *, is_last: bool = False) -> Samples:
        """End the segment, and add a pause after it; the sound that was still held."""
        rest = self._after_lead(self._segment.end(keeps_end=is_last and not pause_s))
        self._keeps_start = False
        self.restart_segment()
        return np.concatenate([rest, silence(pause_s, self._rate)])

    def restart_segment(self) -> None:
        """Forget what the present segment was so far; what was let go of it has to be forgotten, too."""
        self._segment = _Segment(self._rate, keeps_start=self._keeps_start)

    def _after_lead(self, samples: Samples) -> Samples:
        before, self._before = self._before, self._before[:0]
        return np.concatenate([before, samples]) if len(before) else samples


class _Segment:
    """The sound of one segment, its silent beginning taken off, its end held back."""

    def __init__(self, rate: int, *, keeps_start: bool) -> None:
        self._rate = rate
        self._has_begun = keeps_start
        self._held = np.zeros(0, np.float32)
        self._peak = 0.0

    def add(self, samples: Samples) -> Samples:
        self._held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        if not self._has_begun:
            if not self._begin():
                return np.zeros(0, np.float32)
        elif len(samples):
            self._peak = max(self._peak, float(np.abs(samples).max()))
        return self._let_go()

    def end(self, *, keeps_end: bool) -> Samples:
        """The rest: up to its last loud frame and a little, unless it is kept as it is."""
        if not self._has_begun and not self._begin(is_whole=True):
            return np.zeros(min(len(self._held), round(ALL_SILENT_S * self._rate)), np.float32)
        rest, self._held = self._held, np.zeros(0, np.float32)
        return rest if keeps_end else _faded_out(_without_silent_end(rest, self._peak, self._rate), self._rate)

    def _begin(self, *, is_whole: bool = False) -> bool:
        """Take the silent beginning off once enough was made to see how loud the segment is."""
        loud = np.flatnonzero(np.abs(self._held) > _ONSET_LEVEL)
        enough = int(loud[0]) + round(_LOOKAHEAD_S * self._rate) if len(loud) else len(self._held) + 1
        if len(self._held) < enough and not is_whole:
            return False
        seen = np.abs(self._held[: min(enough, len(self._held))])
        peak = float(seen.max()) if len(seen) else 0.0
        if peak < _ALL_SILENT_LEVEL:
            return False
        start = _first_loud(self._held, peak, self._rate)
        self._held = _faded_in(self._held[start:], self._rate)
        self._peak = float(np.abs(self._held).max())
        self._has_begun = True
        return True

    def _let_go(self) -> Samples:
        """Hand on what stands before the last loud frame: what follows may be the silent end."""
        keep_from = _end_of_loud(self._held, self._peak, self._rate) - _end_held(self._rate)
        keep_from -= keep_from % round(HOP_S * self._rate)  # frames stay the same however the chunks come
        if keep_from <= 0:
            return np.zeros(0, np.float32)
        ready, self._held = self._held[:keep_from], self._held[keep_from:]
        return ready


def _end_held(rate: int) -> int:
    """The samples before the last loud one that are held back: enough to fade them, and to find a zero crossing."""
    return round((FADE_S + ZERO_WITHIN_S) * rate) + 2 * round(FRAME_S * rate)


def joined(segments: Sequence[Samples], pauses_s: Sequence[float], sample_rate: int) -> Samples:
    """Finished sounds as one; `pauses_s` are the pauses after each of them, that after the last one included."""
    joiner, parts = Joiner(sample_rate), [np.zeros(0, np.float32)]
    for number, (samples, pause_s) in enumerate(zip(segments, pauses_s, strict=True)):
        parts += [joiner.add(samples), joiner.end_segment(pause_s, is_last=number == len(segments) - 1)]
    return np.concatenate(parts)


def trimmed(samples: Samples, sample_rate: int) -> Samples:
    """A finished sound without its silent edges, faded at both, as it stands between two others."""
    segment = _Segment(sample_rate, keeps_start=False)
    return np.concatenate([segment.add(samples), segment.end(keeps_end=False)])


def silence(seconds: float, sample_rate: int) -> Samples:
    return np.zeros(max(0, round(seconds * sample_rate)), np.float32)


def level_gains(levels_db: Iterable[float]) -> list[float]:
    """The gains, in dB, that bring segments of one voice to one level: only what is more than 2 dB off, at most 3 dB.

    Sentences are not made equally loud: their own ups and downs belong to the reading. A stream has none of this, for
    the level of a segment is known only when it has been sent.

    >>> level_gains([-20.0, -21.0, -28.0, -20.5])
    [0.0, 0.0, 3.0, 0.0]
    """
    levels = list(levels_db)
    middle = statistics.median(levels) if levels else 0.0
    off = [middle - level for level in levels]
    return [max(-_MOST_DB, min(_MOST_DB, gain)) if abs(gain) > _TOLERATED_DB else 0.0 for gain in off]


def _frame_levels(samples: Samples, rate: int) -> Samples:
    """The root mean squares of frames of FRAME_S, one each HOP_S; the last ones are shorter."""
    hop, frame = round(HOP_S * rate), round(FRAME_S * rate)
    power = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, len(samples), hop)
    stops = np.minimum(starts + frame, len(samples))
    levels: Samples = np.sqrt((power[stops] - power[starts]) / np.maximum(1, stops - starts)).astype(np.float32)
    return levels


def _first_loud(samples: Samples, peak: float, rate: int) -> int:
    """The sample at which the sound begins, a little silence before it kept; 0 where none is to be cut."""
    loud = np.flatnonzero(_frame_levels(samples, rate) > peak * _QUIET)
    if not len(loud):
        return 0
    frame = int(loud[0]) * round(HOP_S * rate)
    start = frame + int(np.argmax(np.abs(samples[frame:]) > peak * _QUIET)) - round(KEPT_BEFORE_S * rate)
    return _zero_near(samples, start, rate) if start > 0 else 0


def _end_of_loud(samples: Samples, peak: float, rate: int) -> int:
    """The sample behind the last loud one of the last loud frame; 0 without one."""
    loud = np.flatnonzero(_frame_levels(samples, rate) > peak * _QUIET)
    if not len(loud):
        return 0
    frame = int(loud[-1]) * round(HOP_S * rate)
    inside = np.flatnonzero(np.abs(samples[frame : frame + round(FRAME_S * rate)]) > peak * _QUIET)
    return frame + int(inside[-1]) + 1


def _without_silent_end(samples: Samples, peak: float, rate: int) -> Samples:
    end = _end_of_loud(samples, peak, rate) + round(KEPT_AFTER_S * rate)
    return samples[: _zero_near(samples, end, rate)] if end < len(samples) else samples


def _zero_near(samples: Samples, place: int, rate: int) -> int:
    """The zero crossing nearest to `place`, or `place` where there is none near."""
    reach = round(ZERO_WITHIN_S * rate)
    start = max(1, place - reach)
    around = samples[start - 1 : place + reach]
    crossings = np.flatnonzero(np.signbit(around[1:]) != np.signbit(around[:-1])) + start
    return int(crossings[np.argmin(np.abs(crossings - place))]) if len(crossings) else place


def _faded_in(samples: Samples, rate: int) -> Samples:
    length = min(round(FADE_S * rate), len(samples))
    rise = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(1, length))).astype(np.float32)
    return np.concatenate([samples[:length] * rise, samples[length:]])


def _faded_out(samples: Samples, rate: int) -> Samples:
    faded: Samples = _faded_in(samples[::-1], rate)[::-1].copy()
    return faded
