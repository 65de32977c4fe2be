"""What the sound of a take shows by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tts_core.domain.events import Samples
from tts_core.domain.values import StopReason
from tts_core.studio.making.sound_check import SoundFacts, badness, judged_sound, with_transcript
from tts_core.studio.making.transcripts import Findings
from tts_core.studio.model import Difference, TakeCheck, TakeFlag

RATE = 24_000
FACTS = SoundFacts(expected_s=4.0)


def speech(seconds: float = 4.0, level: float = 0.3) -> Samples:
    """A tone that swells and fades, with silence at both ends."""
    at = np.arange(round(seconds * RATE)) / RATE
    sound = level * np.sin(2 * np.pi * 180 * at) * np.clip(10 * np.minimum(at, seconds - at), 0, 1)
    rest = np.zeros(RATE // 5)
    return np.concatenate([rest, sound, rest]).astype(np.float32)


def test_a_good_take_has_no_flag() -> None:
    check = judged_sound(speech(), RATE, FACTS)
    assert check.flags == ()
    assert check.level_db is not None
    assert -16 < check.level_db < -12
    assert check.tail_db == -120.0


@pytest.mark.parametrize(
    ("sound", "facts", "flag"),
    [
        (speech(1.8), FACTS, TakeFlag.TOO_SHORT),
        (speech(9.2), FACTS, TakeFlag.TOO_LONG),
        (speech()[: RATE * 3], FACTS, TakeFlag.CUT_END),
        (speech() * np.float32(0.005), FACTS, TakeFlag.SILENT),
        (np.zeros(RATE, np.float32), FACTS, TakeFlag.SILENT),
        (np.zeros(0, np.float32), FACTS, TakeFlag.SILENT),
        (np.clip(speech() * 8, -1, 1), FACTS, TakeFlag.CLIPPED),
        (speech() + np.float32(0.06), FACTS, TakeFlag.OFFSET),
        (speech(), dataclasses.replace(FACTS, stop_reason=StopReason.RUNAWAY), TakeFlag.LOST),
        (speech(), dataclasses.replace(FACTS, stop_reason=StopReason.LOOP), TakeFlag.LOST),
        (speech(), dataclasses.replace(FACTS, stop_reason=StopReason.MAX_LENGTH), TakeFlag.MAX_LENGTH),
        (speech(), dataclasses.replace(FACTS, similarity=0.6, similarities=[0.8] * 8), TakeFlag.OTHER_VOICE),
    ],
)
def test_a_fault_is_flagged(sound: Samples, facts: SoundFacts, flag: TakeFlag) -> None:
    assert judged_sound(sound, RATE, facts).flags == (flag,)


def test_silence_around_a_take_is_not_its_length() -> None:
    rest = np.zeros(6 * RATE, np.float32)
    assert judged_sound(np.concatenate([rest, speech(), rest]), RATE, FACTS).flags == ()


def test_one_short_word_may_be_spoken_slowly() -> None:
    assert judged_sound(speech(1.2), RATE, SoundFacts(expected_s=0.4)).flags == ()
    assert judged_sound(speech(1.8), RATE, SoundFacts(expected_s=0.4)).flags == (TakeFlag.TOO_LONG,)


def test_a_quiet_take_is_not_silent_and_a_few_takes_say_nothing_about_a_voice() -> None:
    assert judged_sound(speech(level=0.01), RATE, FACTS).flags == ()
    few = dataclasses.replace(FACTS, similarity=0.2, similarities=[0.8, 0.8])
    assert judged_sound(speech(), RATE, few).flags == ()


def test_a_transcript_without_a_mistake_excuses_a_length_but_no_silence() -> None:
    right = Findings((), errors=0, units=9, differences=())
    slow = judged_sound(speech(9.2), RATE, FACTS)
    assert with_transcript(slow, right).flags == ()
    silent = judged_sound(np.zeros(RATE, np.float32), RATE, FACTS)
    assert with_transcript(silent, right).flags == (TakeFlag.SILENT,)


def test_takes_are_ordered_by_faults_then_by_wrong_words() -> None:
    wrong = Findings((TakeFlag.WRONG_WORDS,), errors=3, units=9, differences=(Difference("a", "b"),))
    good = TakeCheck()
    checks = [with_transcript(judged_sound(speech(1.8), RATE, FACTS), wrong), with_transcript(good, wrong), good, None]
    assert sorted(map(badness, checks), reverse=True) == [(2, 1 / 3), (1, 1 / 3), (0, 0.0), (0, 0.0)]
