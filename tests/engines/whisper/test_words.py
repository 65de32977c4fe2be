"""Tokens become words: with spaces, without them, and letters that several tokens spell."""

from __future__ import annotations

import pytest

from tts_core.engines.whisper.transcript import Segment, Transcript, Word
from tts_core.engines.whisper.words import words_of

MARK = "<mark>"


def words(pieces: list[bytes | str], language: str) -> list[tuple[float, float, str]]:
    """The words of tokens that spell `pieces`, each a second after the one before."""

    def decode(run: list[int]) -> str:
        return b"".join(_bytes(pieces[token]) for token in run).decode("utf-8", errors="replace")

    starts_s = [float(place) for place in range(len(pieces))]
    found = words_of(range(len(pieces)), starts_s, float(len(pieces)), decode, language)
    return [(word.start_s, word.end_s, word.text) for word in found]


def _bytes(piece: bytes | str) -> bytes:
    return piece if isinstance(piece, bytes) else b"" if piece == MARK else piece.encode()


@pytest.mark.parametrize(
    ("pieces", "language", "expected"),
    [
        ([MARK, " Hel", "lo", ",", " world", "!", MARK], "en", [(1, 4, "Hello,"), (4, 6, "world!")]),
        ([MARK, "你", "好", "。", MARK], "zh", [(1, 2, "你"), (2, 4, "好。")]),
        ([MARK, "好"[:1].encode()[:2], "好".encode()[2:], MARK], "zh", [(1, 3, "好")]),
        ([MARK, MARK], "en", []),
        ([" a"], "en", [(0, 1, "a")]),
    ],
)
def test_tokens_become_words(
    pieces: list[bytes | str], language: str, expected: list[tuple[float, float, str]]
) -> None:
    assert words(pieces, language) == expected


def test_no_word_ends_after_its_phrase() -> None:
    (word,) = words_of([0, 1], [5.0, 9.0], 4.0, lambda run: " late" if run == [0] else "", "en")
    assert word == Word(4.0, 4.0, "late")


@pytest.mark.parametrize("texts", [("hello", "world"), ("a a", "a"), ("你好。", "世界"), ()])
@pytest.mark.parametrize("between", [" ", ""])
def test_the_pieces_of_a_transcript_are_its_text(texts: tuple[str, ...], between: str) -> None:
    transcript = Transcript(between.join(texts), "en", tuple(Segment(0, 1, text) for text in texts))
    assert "".join(transcript.pieces()) == transcript.text
    assert tuple(piece.strip() for piece in transcript.pieces()) == texts
