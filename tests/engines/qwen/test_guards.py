from __future__ import annotations

import random

import pytest

from tts_core.domain.values import StopReason
from tts_core.engines.qwen.generation.guards import FrameLimit, LoopGuard, limit_from_text


def frames_until_stuck(codes: list[int]) -> int | None:
    guard = LoopGuard()
    return next((count for count, code in enumerate(codes, start=1) if guard.is_stuck(code)), None)


def speech(frames: int, seed: int = 0) -> list[int]:
    chance = random.Random(seed)
    return [chance.randrange(2048) for _ in range(frames)]


@pytest.mark.parametrize("period", [1, 2, 7, 25])
def test_a_loop_is_noticed_within_eight_seconds(period: int) -> None:
    spoken = speech(200)
    stuck = frames_until_stuck(spoken + speech(period, seed=1) * 100)
    assert stuck is not None
    assert 200 + 50 <= stuck <= 200 + 100


def test_a_hum_of_few_codes_is_noticed() -> None:
    chance = random.Random(3)
    assert frames_until_stuck([chance.choice((5, 9, 11, 40, 41, 99)) for _ in range(130)]) == 125


def test_speech_is_left_alone() -> None:
    assert frames_until_stuck(speech(4000)) is None


def test_repeated_words_and_pauses_are_left_alone() -> None:
    word, pause = speech(6, seed=1), [1995] * 30
    assert frames_until_stuck((word + pause + speech(20, seed=2) + word * 4 + speech(10, seed=3)) * 2) is None


def test_the_length_is_bounded_by_the_text() -> None:
    assert limit_from_text(1, 8192) == FrameLimit(137, StopReason.RUNAWAY)
    assert limit_from_text(100, 8192) == FrameLimit(1325, StopReason.RUNAWAY)
    assert limit_from_text(2000, 8192) == FrameLimit(8192, StopReason.MAX_LENGTH)
