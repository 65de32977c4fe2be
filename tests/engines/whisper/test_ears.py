"""Whisper tiny.en, the real one, hears what a natural voice says: words, times, prompts and progress."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hibari import Hibari

from tts_core.domain.events import Samples
from tts_core.engines.whisper.error_rate import compare
from tts_core.engines.whisper.model import WhisperModel
from tts_core.engines.whisper.transcript import Transcript, TranscriptOptions

RATE = 24_000
WORDS = "The train to Oxford leaves at seven. Please bring your umbrella."
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound() -> Samples:
    """Two sentences with three seconds of silence before them."""
    spoken = np.concatenate(list(Hibari(voice="heart", threads=1).stream(WORDS)))
    return np.concatenate([np.zeros(3 * RATE, np.float32), spoken]).astype(np.float32)


@pytest.fixture(scope="module")
def found(ears: WhisperModel, sound: Samples) -> Transcript:
    return ears.transcribe(sound, RATE, options=TranscriptOptions(with_words=True))


def test_what_is_spoken_is_written_down_word_for_word(found: Transcript) -> None:
    assert compare(WORDS, found.text, "en").errors == 0
    assert found.language == "en"
    assert found.segments[0].start_s >= 2.5, "times are the recording's, silence included"


def test_words_come_one_after_another_in_their_phrase(found: Transcript, sound: Samples) -> None:
    words = [word for one in found.segments for word in one.words]
    assert " ".join(word.text for word in words) == found.text
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert 2.5 <= times[0] < times[-1] <= len(sound) / RATE


def test_a_prompt_says_how_names_are_spelled(ears: WhisperModel, sound: Samples) -> None:
    options = TranscriptOptions(prompt="THE TRAIN TO OXFORD. PLEASE.")
    assert "OXFORD" in ears.transcribe(sound[: 7 * RATE], RATE, options=options).text


def test_silence_is_never_turned_into_a_sentence(ears: WhisperModel) -> None:
    began = time.monotonic()
    assert ears.transcribe(np.zeros(20 * RATE, np.float32), RATE).text == ""
    assert time.monotonic() - began < 20
