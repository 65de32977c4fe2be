"""Every sentence is understood, to its end, at every speed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.listening.conftest import BY_LANGUAGE, HEART, PIPER, Studio
from tests.listening.ears import SENTENCES, Ears, is_cut_off, lost_ends, wrong

MAX_RATE = 0.05

pytestmark = pytest.mark.slow


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("voice", "speed"),
    [
        (BY_LANGUAGE, 1.0),
        (BY_LANGUAGE, 0.7),
        (BY_LANGUAGE, 1.4),
        (PIPER, 0.7),
        (PIPER, 1.0),
        (PIPER, 1.4),
    ],
)
def test_all_sentences_are_understood(studio: Studio, ears: Ears, voice: str, speed: float) -> None:
    check(studio, ears, SENTENCES, voice, speed)


@pytest.mark.parametrize(("first", "speed"), [(0, 1.0), (1, 1.4)])
def test_some_sentences_are_understood(studio: Studio, ears: Ears, first: int, speed: float) -> None:
    check(studio, ears, SENTENCES[first::3], BY_LANGUAGE, speed)


def check(studio: Studio, ears: Ears, texts: Sequence[str], voice: str, speed: float) -> None:
    takes = [studio.speak(text, voice, speed) for text in texts]
    rate = ears.judge(texts, [samples for samples, _ in takes], takes[0][1])
    assert rate.rate <= MAX_RATE, wrong(rate)
    assert lost_ends(texts, rate) == []
    assert [text for text, take in zip(texts, takes, strict=True) if is_cut_off(*take)] == []


def test_heart_alone_is_the_built_in_voice_in_english(studio: Studio) -> None:
    for speed in (0.7, 1.0, 1.4):
        one, other = (studio.speak(SENTENCES[0], voice, speed)[0] for voice in (BY_LANGUAGE, HEART))
        np.testing.assert_array_equal(one, other)


def test_a_word_that_is_cut_off_is_missed(studio: Studio, ears: Ears) -> None:
    """The measure itself: without its end, a sentence fails."""
    samples, rate = studio.speak(SENTENCES[-1], BY_LANGUAGE)
    short = ears.judge(SENTENCES[-1:], [samples[: len(samples) // 2]], rate)
    assert short.rate > MAX_RATE
    assert lost_ends(SENTENCES[-1:], short) == [SENTENCES[-1]]
    assert (is_cut_off(samples, rate), is_cut_off(samples[: len(samples) // 2], rate)) == (False, True)


def test_the_plain_built_in_voice_is_mostly_understood(studio: Studio, ears: Ears) -> None:
    """It is no natural voice; what it says is there nevertheless."""
    texts = (SENTENCES[13], "Please open the window and turn on the light.", "The weather today is sunny and warm.")
    takes = [studio.speak(text, "builtin/aria") for text in texts]
    rate = ears.judge(texts, [samples for samples, _ in takes], takes[0][1])
    assert rate.rate <= 0.2, wrong(rate)
