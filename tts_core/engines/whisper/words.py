"""The words of a phrase with their times, from the times of its tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from tts_core.engines.whisper.transcript import Word

_WITHOUT_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""The languages that put no spaces between words; there a word is what one or a few tokens spell."""
_HALF_A_LETTER = "\ufffd"
"""The character that stands for bytes that spell no whole character."""

Decode = Callable[[list[int]], str]


def words_of(
    tokens: Sequence[int], starts_s: Sequence[float], end_s: float, decode: Decode, language: str
) -> tuple[Word, ...]:
    """The words that the tokens spell. `starts_s` holds the time of each token and of each mark after one.

    A token that spells half a letter belongs to the next one, and punctuation to the word before it.
    """
    words: list[Word] = []
    for text, start_s, until_s in _letters(tokens, starts_s, end_s, decode):
        if words and _continues(text, language):
            words[-1] = Word(words[-1].start_s, until_s, words[-1].text + text)
        else:
            words.append(Word(start_s, until_s, text))
    return tuple(
        Word(round(min(one.start_s, end_s), 2), round(min(one.end_s, end_s), 2), one.text.strip())
        for one in words
        if one.text.strip()
    )


def _letters(
    tokens: Sequence[int], starts_s: Sequence[float], end_s: float, decode: Decode
) -> list[tuple[str, float, float]]:
    """The shortest runs of tokens that spell whole characters, each with its start and end."""
    found: list[tuple[str, float, float]] = []
    run: list[int] = []
    for place, token in enumerate(tokens):
        text = decode([*run, token])
        run.append(token)
        is_last = place + 1 == len(tokens)
        if not text or (_HALF_A_LETTER in text and not is_last):
            if not text:  # a mark
                run = []
            continue
        until_s = starts_s[place + 1] if place + 1 < len(starts_s) else end_s
        found.append((text, starts_s[place + 1 - len(run)], until_s))
        run = []
    return found


def _continues(text: str, language: str) -> bool:
    """Whether the text belongs to the word before it."""
    if all(unicodedata.category(letter)[0] == "P" for letter in text.strip()):
        return True
    return language not in _WITHOUT_SPACES and not text.startswith(" ")
