"""A speech recogniser, which knows nothing of the text, hears what the built-in voice was told to say."""

from __future__ import annotations

import numpy as np
import pocketsphinx
import pytest
import soxr

from tests.engines.espeak.test_engine import RATE, sound

RECOGNISER_RATE = 16_000


SENTENCES = {
    "My brother bought a new house near the river last year.": "brother bought new house near river last year",
    "Please open the window and turn on the light.": "please open window turn light",
    "The weather today is sunny and warm.": "weather today sunny warm",
}
"""What is said -> the words that count."""


@pytest.fixture(scope="module")
def heard() -> dict[str, set[str]]:
    """Sentence -> the words that the recogniser made of it."""
    decoder = pocketsphinx.Decoder(samprate=RECOGNISER_RATE, loglevel="FATAL")
    return {text: _recognise(decoder, text) for text in SENTENCES}


def test_most_words_are_recognised(heard: dict[str, set[str]]) -> None:
    understood = [word for text, words in SENTENCES.items() for word in words.split() if word in heard[text]]
    assert len(understood) >= 11, f"of 17 words only {understood}"


def test_words_that_were_not_said_are_not_heard(heard: dict[str, set[str]]) -> None:
    imagined = [
        word
        for text, other in zip(SENTENCES, [*SENTENCES][1:], strict=False)
        for word in SENTENCES[other].split()
        if word in heard[text]
    ]
    assert imagined == []


def _recognise(decoder: pocketsphinx.Decoder, text: str) -> set[str]:
    samples = soxr.resample(sound(text, voice="builtin/aria", language="en-us"), RATE, RECOGNISER_RATE)
    quiet = np.zeros(RECOGNISER_RATE // 4, dtype=np.float32)
    pcm = (np.clip(np.concatenate([quiet, samples, quiet]), -1, 1) * 32767).astype(np.int16)
    decoder.start_utt()
    decoder.process_raw(pcm.tobytes(), full_utt=True)
    decoder.end_utt()
    return set(decoder.hyp().hypstr.split())
