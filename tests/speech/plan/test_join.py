"""Segments become one sound: no step at a border, exact pauses, the same samples however the chunks come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tts_core.domain.events import Samples
from tts_core.speech.plan.join import Joiner, joined, level_gains, pause_seconds, silence, trimmed
from tts_core.speech.plan.split import PauseReason

RATE = 24_000


def speech(seconds: float, level: float = 0.3, *, before_s: float = 0.0, after_s: float = 0.0) -> Samples:
    """A rough sound between two stretches of faint noise."""
    noise = np.random.default_rng(1)
    at = np.arange(round(seconds * RATE)) / RATE
    sound = level * np.sin(2 * np.pi * 173 * at + 0.7) * (0.75 + 0.25 * np.sin(2 * np.pi * 3 * at))
    faint = [noise.normal(0, level * 0.001, round(length * RATE)) for length in (before_s, after_s)]
    return np.concatenate([faint[0], sound, faint[1]]).astype(np.float32)


def quiet_stretches(samples: Samples, below: float) -> list[tuple[int, int]]:
    """Where nothing is louder than `below` for at least 50 ms, as first and last sample."""
    loud = np.flatnonzero(np.abs(samples) > below)
    gaps = np.flatnonzero(np.diff(loud) > 0.05 * RATE)
    return [(int(loud[gap]), int(loud[gap + 1])) for gap in gaps]


@pytest.mark.parametrize("level", [0.5, 0.02, 0.003])
def test_silent_edges_are_short_beside_the_wanted_pause_for_loud_and_quiet_voices(level: float) -> None:
    parts = [speech(1.0, level, before_s=0.4, after_s=0.9) for _ in range(3)]
    whole = joined(parts, [0.5, 0.9, 0.0], RATE)
    pauses = [(last - first) / RATE for first, last in quiet_stretches(whole, level * 0.02)]
    assert [wanted <= pause <= wanted + 0.12 for wanted, pause in zip((0.5, 0.9), pauses, strict=True)] == [True, True]


def test_no_border_has_a_step_and_the_pause_is_digital_silence() -> None:
    whole = joined([speech(0.5), speech(0.5), speech(0.5)], [0.3, 0.0, 0.0], RATE)
    assert len(whole) == round(1.8 * RATE)  # nothing is taken off where there is no silence
    pause = whole[round(0.5 * RATE) : round(0.8 * RATE)]
    assert not pause.any()
    borders = [round(place * RATE) for place in (0.5, 0.8, 1.3)]
    steps = [float(np.abs(np.diff(whole[border - 2 : border + 2])).max()) for border in borders]
    assert max(steps) < 10 ** (-40 / 20)


def test_the_sound_begins_and_ends_as_it_was_made() -> None:
    first, last = speech(0.5, before_s=0.4), speech(0.5, after_s=0.4)
    whole = joined([first, last], [0.2, 0.0], RATE)
    assert np.array_equal(whole[: round(0.8 * RATE)], first[: round(0.8 * RATE)])
    assert np.array_equal(whole[-round(0.8 * RATE) :], last[-round(0.8 * RATE) :])


def test_a_pause_at_the_beginning_or_the_end_is_as_long_as_it_says() -> None:
    joiner = Joiner(RATE, lead_s=1.0)
    sound = np.concatenate([joiner.add(speech(0.5)), joiner.end_segment(2.0, is_last=True)])
    assert len(sound) == round(3.5 * RATE)
    assert not sound[:RATE].any()
    assert not sound[-2 * RATE :].any()


def test_a_quiet_last_word_is_kept_and_a_silent_segment_is_a_short_silence() -> None:
    loud_then_quiet = np.concatenate([speech(0.5, 0.5), speech(0.3, 0.01)])  # 34 dB below
    assert len(trimmed(loud_then_quiet, RATE)) == len(loud_then_quiet)
    assert not trimmed(silence(3.0, RATE), RATE).any()
    assert len(trimmed(silence(3.0, RATE), RATE)) == round(0.25 * RATE)
    assert len(trimmed(silence(0.1, RATE), RATE)) == round(0.1 * RATE)


def test_a_segment_that_is_made_again_leaves_nothing_of_its_first_attempt() -> None:
    joiner = Joiner(RATE)
    kept = [joiner.add(speech(0.5)), joiner.end_segment(0.2)]
    joiner.add(speech(2.0, 0.9))
    joiner.restart_segment()
    kept += [joiner.add(speech(0.5)), joiner.end_segment(0.0, is_last=True)]
    assert np.array_equal(np.concatenate(kept), joined([speech(0.5), speech(0.5)], [0.2, 0.0], RATE))


def test_sound_is_let_go_while_the_segment_is_made() -> None:
    joiner = Joiner(RATE)
    assert len(joiner.add(speech(0.2)))
    joiner.end_segment(0.2)
    joiner.add(speech(0.6, before_s=0.3))
    assert len(joiner.add(speech(0.3))) > 0.2 * RATE


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9_000), max_size=20), st.floats(0, 0.5), st.floats(0, 0.5))
def test_the_samples_do_not_depend_on_the_chunks(chunks: list[int], before_s: float, after_s: float) -> None:
    parts = [speech(0.9, before_s=before_s, after_s=after_s), speech(0.4, 0.1, before_s=before_s, after_s=after_s)]
    joiner, got = Joiner(RATE), []
    for number, part in enumerate(parts):
        rest = part
        for size in chunks:
            got.append(joiner.add(rest[:size]))
            rest = rest[size:]
        got += [joiner.add(rest), joiner.end_segment(0.4 - 0.4 * number, is_last=number == 1)]
    assert np.array_equal(np.concatenate(got), joined(parts, [0.4, 0.0], RATE))


def test_pauses_and_levels_follow_their_rules() -> None:
    assert pause_seconds(PauseReason.SENTENCE) == 0.5
    assert pause_seconds(PauseReason.SENTENCE, "zh") == 0.45
    assert pause_seconds(PauseReason.PARAGRAPH, factor=1.35) == pytest.approx(1.215)
    assert level_gains([-20.0, -21.9, -24.0, -15.0, -20.0]) == [0.0, 0.0, 3.0, -3.0, 0.0]
    assert level_gains([]) == []
