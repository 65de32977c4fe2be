"""The seconds that a text will take to say, from its letters alone.

The rates are fixed: the split of a text depends on them, and must be the same on every machine and for every voice.
"""

from __future__ import annotations

import re
from types import MappingProxyType

_WIDE = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d"
_HANGUL = "\uac00-\ud7a3"
CJK = _WIDE + _KANA + _HANGUL
"""The letters of Chinese, Japanese and Korean, as the inside of a class of a regular expression."""
_HAN_SIGNS, _KANA_SIGNS, _SYLLABLES = re.compile(f"[{_WIDE}]"), re.compile(f"[{_KANA}]"), re.compile(f"[{_HANGUL}]")
_WORD = re.compile(rf"[^\W\d_{CJK}]+(?:['’\-][^\W\d_{CJK}]+)*")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(rf"[^\W_{CJK}]")

HAN_PER_S = MappingProxyType({"zh": 4.5, "yue": 4.5, "ja": 6.5 / 2, "ko": 4.5})
"""Chinese characters a second; one stands for two kana in Japanese."""
KANA_PER_S = 6.5
SYLLABLES_PER_S = 5.5
WORDS_PER_S = 2.6
"""English words a second."""
CHARS_PER_S = 14.0
"""Letters a second of all other languages."""
_DIGITS_PER_S = MappingProxyType({"zh": 4.5, "yue": 4.5, "ja": 3.3, "ko": 4.5})
_OTHER_DIGITS_PER_S = 3.5
_LETTERS_OF_A_WORD = 12
"""The most letters of one word by its count; a longer run, such as an address, counts as several words."""


def expected_seconds(text: str, language: str) -> float:
    """The seconds that `text` takes to say at speed 1; `language` is a short code, as of `split.language_of`.

    >>> round(expected_seconds("This is what a person says in about three seconds.", "en"), 1)
    3.8
    """
    seconds = len(_HAN_SIGNS.findall(text)) / HAN_PER_S.get(language, 4.5)
    seconds += len(_KANA_SIGNS.findall(text)) / KANA_PER_S + len(_SYLLABLES.findall(text)) / SYLLABLES_PER_S
    seconds += len(_DIGIT.findall(text)) / _DIGITS_PER_S.get(language, _OTHER_DIGITS_PER_S)
    return seconds + _seconds_of_words(text, language)


def count_units(text: str) -> int:
    """Words of alphabetic scripts and letters of Chinese, Japanese and Korean; a run of digits counts by its digits."""
    wide = len(_HAN_SIGNS.findall(text)) + len(_KANA_SIGNS.findall(text)) + len(_SYLLABLES.findall(text))
    return wide + len(_WORD.findall(text)) + len(_DIGIT.findall(text))


def _seconds_of_words(text: str, language: str) -> float:
    if language in ("en", "zh", "yue", "ja", "ko"):  # what stands in Latin letters is mostly English
        words = _WORD.findall(text)
        return sum(max(1.0, len(word) / _LETTERS_OF_A_WORD) for word in words) / WORDS_PER_S
    letters = len(_LETTER.findall(text)) - len(_DIGIT.findall(text))
    return letters * 1.17 / CHARS_PER_S  # the rate counts the blanks between words
