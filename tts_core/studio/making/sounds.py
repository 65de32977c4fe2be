"""Units of two texts that sound alike: Whisper spells by ear, so other letters are no mistake where the sound is one.

Chinese is compared by pinyin without tones, words by how espeak-ng reads them, kana without regard to its kind.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache

Pronounce = Callable[[str, str], str]
"""A function from words and their language's short code to the phonemes; "" where it does not know the language."""

LETTER_LANGUAGES = frozenset({"zh", "yue", "ja", "ko", "th", "lo", "km", "my", "bo"})
"""Languages compared letter by letter; Korean too, for people and Whisper part its words as they like."""
CHINESE = frozenset({"zh", "yue"})
_HAN = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u3096ー]+")
_KATAKANA = range(0x30A1, 0x30F7)
_TO_HIRAGANA = 0x60
_STRESS = re.compile(r"[ˈˌ\s_\-ː]")
_KANJI_DIGITS = {digit: str(value) for value, digit in enumerate("〇一二三四五六七八九")}
_KANA_PER_KANJI = 4
_WORDS_PER_DIGIT = 3


def silent(_text: str, _language: str) -> str:
    """Pronounce nothing, where nothing can."""
    return ""


class SoundRules:
    """The units of one language, and which of them sound alike."""

    def __init__(self, language: str, pronounce: Pronounce = silent) -> None:
        self.language = language
        self.by_letter = language in LETTER_LANGUAGES
        self._pronounce = pronounce

    def units(self, plain: str) -> tuple[str, ...]:
        """The words of a text without marks; its letters where the language parts none."""
        if not self.by_letter:
            return tuple(plain.split())
        joined = "".join(plain.split())
        return tuple(_kana_folded(joined) if self.language == "ja" else joined)

    def joined(self, units: Sequence[str]) -> str:
        return ("" if self.by_letter else " ").join(units)

    def keys(self, unit: str) -> frozenset[str]:
        """The names of the sounds that a unit may stand for; units with a name in common sound alike."""
        if self.language in CHINESE and _HAN.match(unit):
            return _pinyin(unit)
        if self.language == "ja":
            return frozenset({_KANJI_DIGITS.get(unit, unit)})
        sound = "" if self.by_letter else self._sound(unit)
        return frozenset({unit, f"/{sound}/"} if sound else {unit})

    def are_alike(self, expected: Sequence[str], actual: Sequence[str]) -> bool:
        """Whether two runs of units that stand for each other may be one sound, however they are written."""
        if not expected or not actual:
            return False
        one, other = "".join(expected), "".join(actual)
        if one == other or _is_numeral(one, other) or _is_numeral(other, one):
            return True
        if self.language == "ja":
            return _may_read(one, other) or _may_read(other, one)
        if self.language in CHINESE:
            return False
        sound = self._sound(self.joined(expected))
        return sound != "" and sound == self._sound(self.joined(actual))

    def _sound(self, words: str) -> str:
        return _STRESS.sub("", self._pronounce(words, self.language)).replace("ɪ", "i")


def _is_numeral(digits: str, words: str) -> bool:
    """Whether the first is a number in digits and the other may be its words: which number can't be seen from here."""
    count = sum(char.isdigit() for char in digits)
    if count < len(digits) or count == 0 or any(char.isdigit() for char in words):
        return False
    return len(words) <= 12 * _WORDS_PER_DIGIT * count


def _may_read(kanji: str, kana: str) -> bool:
    """Whether kana may be the reading of a text with kanji, by their lengths: the readings themselves are not known."""
    count = len(_HAN.findall(kanji))
    if not count or not _KANA.fullmatch(kana):
        return False
    rest = len(kanji) - count
    return rest + count <= len(kana) <= rest + _KANA_PER_KANJI * count


def _kana_folded(text: str) -> str:
    """`text` with katakana as hiragana."""
    return "".join(chr(ord(char) - _TO_HIRAGANA) if ord(char) in _KATAKANA else char for char in text)


@cache
def _pinyin(char: str) -> frozenset[str]:
    """Every reading of a Chinese character, without tones."""
    from pypinyin import Style, pinyin  # noqa: PLC0415 - half a second

    found = pinyin(char, style=Style.NORMAL, heteronym=True, errors="ignore")
    readings = {unicodedata.normalize("NFC", reading) for one in found for reading in one}
    return frozenset({char, *readings})
