"""The check of a take: what its sound shows by itself, and what its transcript shows.

The sound is judged first: Whisper invents words where there is silence, and a transcript must not excuse that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tts_core.domain.events import Samples
from tts_core.domain.values import StopReason
from tts_core.speech.plan.join import trimmed
from tts_core.studio.making.transcripts import Findings
from tts_core.studio.model import TakeCheck, TakeFlag

SHORTEST, LONGEST = 0.5, 2.2
"""The length of a take, as a share of what was expected."""
_SLACK_S = 1.0
"""The seconds by which even the shortest text may be longer: a pause for breath is no mistake."""
_CUT_DB, _SILENT_DB = -20.0, -55.0
_END_S = 0.01
_CLIPPED_LEVEL, _CLIPPED_SHARE = 0.999, 0.001
_OFFSET = 0.05
_FLOOR_DB = -120.0
_LENGTHS = frozenset({TakeFlag.TOO_SHORT, TakeFlag.TOO_LONG})
_DEVIATIONS = 3.0
_FEWEST_SAMPLES = 5
_LEAST_SPREAD = 0.02


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """The facts by which a take's sound is judged."""

    expected_s: float
    """The seconds that the text takes in this voice, at speed 1."""
    stop_reason: StopReason = StopReason.COMPLETE
    similarity: float | None = None
    """The likeness to the voice; None where it was not measured."""
    similarities: Sequence[float] = ()
    """The likeness of the voice's other takes."""


def judged_sound(samples: Samples, rate: int, facts: SoundFacts) -> TakeCheck:
    """Judge a take as it was made, mono at `rate` hertz, by its sound alone."""
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    end = samples[-max(1, round(_END_S * rate)) :]
    tail_db = _decibels(float(np.sqrt(np.mean(np.square(end, dtype=np.float64)))) if len(end) else 0.0)
    level_db = _decibels(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0)
    flags: list[TakeFlag] = list(_stopped(facts.stop_reason))
    if _decibels(peak) < _SILENT_DB:
        flags.append(TakeFlag.SILENT)
    else:
        spoken_s = len(trimmed(samples, rate)) / rate
        flags += _of_length(spoken_s, facts.expected_s)
        flags += _of_wave(samples, tail_db)
    if facts.similarity is not None and _is_other_voice(facts.similarity, facts.similarities):
        flags.append(TakeFlag.OTHER_VOICE)
    return TakeCheck(
        flags=tuple(flags), tail_db=round(tail_db, 1), level_db=round(level_db, 1), similarity=facts.similarity
    )


def with_transcript(check: TakeCheck, findings: Findings) -> TakeCheck:
    """The check completed by a transcript. A length that looked wrong is right where every word is there."""
    flags = check.flags
    if not findings.errors and TakeFlag.SILENT not in flags:
        flags = tuple(flag for flag in flags if flag not in _LENGTHS)
    return TakeCheck(
        flags=(*flags, *findings.flags),
        errors=findings.errors,
        units=findings.units,
        differences=findings.differences,
        tail_db=check.tail_db,
        level_db=check.level_db,
        similarity=check.similarity,
    )


def badness(check: TakeCheck | None) -> tuple[int, float]:
    """The order of takes, the best first: how many faults, then how many wrong words."""
    if check is None:
        return 0, 0.0
    return len(check.flags), check.rate or 0.0


def _stopped(reason: StopReason) -> Iterator[TakeFlag]:
    if reason.is_failure:
        yield TakeFlag.LOST
    if reason is StopReason.MAX_LENGTH:
        yield TakeFlag.MAX_LENGTH


def _of_length(spoken_s: float, expected_s: float) -> Iterator[TakeFlag]:
    if spoken_s < SHORTEST * expected_s:
        yield TakeFlag.TOO_SHORT
    if spoken_s > max(LONGEST * expected_s, expected_s + _SLACK_S):
        yield TakeFlag.TOO_LONG


def _of_wave(samples: Samples, tail_db: float) -> Iterator[TakeFlag]:
    if tail_db > _CUT_DB:
        yield TakeFlag.CUT_END
    if float(np.mean(np.abs(samples) >= _CLIPPED_LEVEL)) > _CLIPPED_SHARE:
        yield TakeFlag.CLIPPED
    if abs(float(np.mean(samples, dtype=np.float64))) > _OFFSET:
        yield TakeFlag.OFFSET


def _is_other_voice(similarity: float, others: Sequence[float]) -> bool:
    """Whether a take is less like the voice than its other takes: below their median by three deviations."""
    if len(others) < _FEWEST_SAMPLES:
        return False
    median = float(np.median(others))
    spread = max(_LEAST_SPREAD, float(np.median(np.abs(np.asarray(others) - median))))
    return similarity < median - _DEVIATIONS * spread


def _decibels(level: float) -> float:
    return 20 * math.log10(level) if level > 0 else _FLOOR_DB
