"""The time that is left, and how fast a voice speaks."""

from __future__ import annotations

import random

import pytest

from tts_core.studio.making.pace import Paces, RunClock


def test_the_time_left_is_right_within_a_quarter_once_a_tenth_is_done() -> None:
    chance = random.Random(3)
    expected = [chance.uniform(3, 16) for _ in range(400)]
    walls = [seconds * chance.uniform(0.8, 3.2) for seconds in expected]
    walls[5:400:17] = [3 * wall for wall in walls[5:400:17]]  # made again and again
    clock = RunClock(sum(expected))
    checked = 0
    for number, (seconds, wall) in enumerate(zip(expected, walls, strict=True), start=1):
        clock.note("a", seconds, wall)
        left = clock.left({"a": sum(expected[number:])})
        if number < 3:
            assert left is None
            continue
        assert left is not None
        assert left.is_rough == (clock.share < 0.1)
        if 0.1 <= clock.share < 0.9:
            checked += 1
            assert left.seconds == pytest.approx(sum(walls[number:]), rel=0.25)
    assert checked > 300


def test_nothing_is_known_about_a_voice_that_was_not_measured() -> None:
    clock = RunClock(100.0)
    for _ in range(5):
        clock.note("a", 5.0, 10.0)
    assert clock.left({"a": 10.0, "b": 1.0}) is None
    left = clock.left({"a": 10.0, "b": 0.0})
    assert left is not None
    assert left.seconds == pytest.approx(20.0)
    clock.note("b", 1.0, 4.0)
    assert (clock.left({"a": 10.0, "b": 1.0}) or left).seconds == pytest.approx(24.0)


def test_what_is_made_side_by_side_takes_its_share_of_the_time() -> None:
    clock = RunClock(100.0)
    for _ in range(4):
        clock.note("a", 5.0, 20.0, at_once=4)
    clock.pass_over(20.0)
    left = clock.left({"a": 60.0})
    assert left is not None
    assert left.seconds == pytest.approx(60.0)
    assert clock.share == pytest.approx(0.4)


def test_a_pace_is_known_after_ten_takes_and_for_each_style() -> None:
    paces = Paces()
    for number in range(10):
        assert paces.factor(("a", "")) == 1.0
        paces.note(("a", ""), 4.0, 5.0 + number % 3)
    assert paces.factor(("a", "")) == pytest.approx(1.5)
    assert paces.factor(("a", "slowly")) == 1.0
