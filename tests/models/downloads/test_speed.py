"""Speed over the last seconds, on a clock that the test turns."""

from __future__ import annotations

import pytest

from tts_core.models.downloads.transfer.speed import STALLED_AFTER_S, WINDOW_S, SpeedWindow

MB = 1_000_000


def test_a_steady_stream() -> None:
    window = SpeedWindow(100.0)
    for tenth in range(1, 300):
        window.add(MB, 100 + tenth / 10)
    assert window.bytes_per_second(129.9) == pytest.approx(10 * MB, rel=0.05)


def test_the_first_moment_is_not_absurd() -> None:
    window = SpeedWindow(0.0)
    window.add(MB, 0.001)
    assert window.bytes_per_second(0.001) == 2 * MB


def test_what_lies_behind_the_window_does_not_count() -> None:
    window = SpeedWindow(0.0)
    window.add(1000 * MB, 0.5)
    window.add(MB, WINDOW_S)
    assert window.bytes_per_second(WINDOW_S + 1) == pytest.approx(MB / WINDOW_S)


def test_stalled() -> None:
    window = SpeedWindow(0.0)
    window.add(MB, 1.0)
    assert not window.is_stalled(1 + STALLED_AFTER_S - 0.1)
    assert window.is_stalled(1 + STALLED_AFTER_S)
    assert window.bytes_per_second(1 + STALLED_AFTER_S) == 0
    window.add(0, 7.0)
    assert window.is_stalled(7.0)
    window.add(1, 7.0)
    assert not window.is_stalled(7.0)
