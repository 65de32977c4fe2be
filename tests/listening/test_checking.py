"""*Check the spoken text*, on real transcripts: exactly the words that a test changed are marked."""

from __future__ import annotations

import pytest

from tests.listening.conftest import BY_LANGUAGE, Studio
from tests.listening.ears import Ears
from tts_core.engines.whisper.error_rate import compare
from tts_core.engines.whisper.transcriber import SpokenCheck
from tts_core.engines.whisper.transcript import Segment, Transcript
from tts_core.ui.transcribe.words import checked
from tts_core.ui.words import load_words

TEXT = "My brother bought a new house near the river last year. Mr. Johnson lives at 42 Park Avenue."

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def transcript(studio: Studio, ears: Ears) -> str:
    return ears.hear(*studio.speak(TEXT, BY_LANGUAGE))


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        ("", "", []),
        ("My", "my", []),
        ("42", "forty-two", []),
        ("Mr. Johnson", "Mister Johnson", []),
        ("brother", "sister", [("sister", "brother")]),
        ("42", "43", [("43", "42")]),
        ("new ", "", [("", "new")]),
        ("last year", "last rainy year", [("rainy", "")]),
        ("river last year. Mr. Johnson", "lake last year. Mr. Jackson", [("lake", "river"), ("jackson", "johnson")]),
        (" Mr. Johnson lives at 42 Park Avenue.", "", [("", "mister johnson lives at 42 park avenue")]),
    ],
)
def test_only_what_was_changed_is_marked(
    transcript: str, before: str, after: str, marked: list[tuple[str, str]]
) -> None:
    rate = compare(TEXT.replace(before, after) if before else TEXT, transcript, "en")
    assert [(piece.wanted, piece.transcribed) for piece in rate.stretches if not piece.is_same] == marked
    assert rate.errors == sum(max(len(wanted.split()), len(heard.split())) for wanted, heard in marked)
    page = checked(load_words("en"), SpokenCheck(Transcript(transcript, "en", (Segment(0, 1, transcript),)), rate))
    assert (page.count("<del>"), page.count("<ins>")) == (
        sum(bool(wanted) for wanted, _ in marked),
        sum(bool(heard) for _, heard in marked),
    )
