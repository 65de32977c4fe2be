"""The distance of what was heard from what was wanted: word error rate, or character error rate without blanks.

Rate = (substitutions + deletions + insertions) / units wanted, as everywhere; it exceeds 1 where more is heard than
was wanted. Case, punctuation, accents' encoding, numerals and Chinese script don't count as differences.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tts_core.domain.text import normalized

if TYPE_CHECKING:
    from opencc import OpenCC
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

_CHARACTER_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})
"""Languages that are written without blanks between words."""
_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # kana, Chinese characters
)
_APOSTROPHES = re.compile("['’ʼ＇]")
_BRACKETS = re.compile(r"[\[\](){}<>]")
"""The normalizer takes what stands in brackets for remarks that are not spoken."""
_IN_NUMBERS = re.compile(r"(?<=\d)[,，](?=\d{3})")
_MOST_DIGITS = 100
"""Most digits of a number; a longer one stays as it is, for Python refuses to write out numbers of thousands."""
_LONG_NUMBER = re.compile(rf"[\d,]{{{_MOST_DIGITS}}}")
_CHINESE_NUMBER = re.compile("[零〇一二三四五六七八九十百千万亿两]+(?:点[零〇一二三四五六七八九]+)?")
_PERCENT = re.compile(f"百分之((?:{_CHINESE_NUMBER.pattern})|[0-9.]+)")
_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SMALL_UNITS = {"十": 10, "百": 100, "千": 1000}
_LARGE_UNITS = {"万": 10_000, "亿": 100_000_000}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Units in a row that are the same in both texts, or that stand for each other; one side may be empty."""

    wanted: str
    transcribed: str

    @property
    def is_same(self) -> bool:
        return self.wanted == self.transcribed


@dataclass(frozen=True, slots=True)
class ErrorRate:
    unit: str
    """The unit that is counted: "word" or "character"."""
    errors: int
    """Units to change, to add and to leave out until one text is the other."""
    length: int
    """Units of the wanted text."""
    wanted: str
    """The wanted text as it was compared, without everything that does not count."""
    transcribed: str
    stretches: tuple[Stretch, ...]
    """The two texts side by side, from start to end."""

    @property
    def rate(self) -> float:
        """Errors per unit wanted; 0 is a perfect match."""
        return self.errors / max(1, self.length)


def compare(wanted: str, transcribed: str, language: str = "") -> ErrorRate:
    """Compare two texts. `language`: Whisper's code; "" for unknown: then the script decides about units and rules."""
    by_character = _counts_characters(wanted or transcribed, language)
    texts = [_plain(text, language or ("zh" if by_character else "")) for text in (wanted, transcribed)]
    if by_character:
        one, other = (list(text.replace(" ", "")) for text in texts)
    else:
        one, other = (text.split() for text in texts)
    blank = "" if by_character else " "
    pairs = list(_aligned(one, other))
    errors = sum(max(len(wanted), len(transcribed)) for wanted, transcribed in pairs if wanted != transcribed)
    stretches = tuple(Stretch(blank.join(wanted), blank.join(transcribed)) for wanted, transcribed in pairs)
    unit = "character" if by_character else "word"
    return ErrorRate(unit, errors, len(one), blank.join(one), blank.join(other), stretches)


def _aligned(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield pieces of both texts side by side, so that the fewest units differ (Levenshtein)."""
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415 - starting stays light

    for code in Levenshtein.opcodes(one, other):
        yield one[code.src_start : code.src_end], other[code.dest_start : code.dest_end]


def _counts_characters(text: str, language: str) -> bool:
    if language:
        return language in _CHARACTER_LANGUAGES
    letters = [char for char in text if char.isalpha()]
    return 2 * sum(bool(_WITHOUT_BLANKS.match(char)) for char in letters) > len(letters)


def _plain(text: str, language: str) -> str:
    """The words and blanks of a text, without what people don't hear."""
    text = _IN_NUMBERS.sub("", normalized(text, "NFKC").casefold())
    if language in ("zh", "yue"):
        text = _CHINESE_NUMBER.sub(lambda found: _number(found[0]), _PERCENT.sub(r"\1%", _simplified(text)))
    if language == "en":
        text = _LONG_NUMBER.sub(r"\g<0> ", _BRACKETS.sub(" ", _APOSTROPHES.sub("'", text)))
        text = _english()(" ".join(text.split()))  # it takes quadratic time over blanks in a row
    text = _APOSTROPHES.sub("", text)
    return " ".join("".join(char if _is_read_out(char) else " " for char in text).split())


def _is_read_out(char: str) -> bool:
    """Whether a character is heard: letters, their marks, digits and signs that are read out."""
    return unicodedata.category(char)[0] in "LMN" or char in "%+=€$£¥°"


def _simplified(text: str) -> str:
    return str(_converter().convert(text.encode(errors="replace").decode()))  # it breaks at half a character


@cache
def _converter() -> OpenCC:
    from opencc import OpenCC  # noqa: PLC0415 - starting stays light

    return OpenCC("t2s")


@cache
def _english() -> EnglishTextNormalizer:
    """Whisper's own normalizer: "twenty-one percent" -> "21%", "it's" -> "it is", without "uh"."""
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer  # noqa: PLC0415 - a second

    return EnglishTextNormalizer({})  # type: ignore[no-untyped-call]


def _number(text: str) -> str:
    """A Chinese number in digits: "二十一" is "21", "二零二四" "2024", "三点一四" "3.14". Whisper writes either."""
    if len(text) > _MOST_DIGITS:
        return text
    whole, dot, fraction = text.partition("点")
    if not any(char in _SMALL_UNITS or char in _LARGE_UNITS for char in whole):
        digits = "".join(str(_DIGITS[char]) for char in whole)
    else:
        digits = str(_valued(whole))
    return digits + ("." + "".join(str(_DIGITS[char]) for char in fraction) if dot else "")


def _valued(text: str) -> int:
    """The value of a Chinese number: "一万二千" -> 12000."""
    total = part = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _SMALL_UNITS:
            part += (digit or 1) * _SMALL_UNITS[char]
            digit = 0
        else:
            total = (total + part + digit or 1) * _LARGE_UNITS[char]
            part = digit = 0
    return total + part + digit
