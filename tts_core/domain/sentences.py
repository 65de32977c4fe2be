"""Where sentences end: a full stop after "Prof", "No" or "J" ends none. Pure functions that know no engine."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from types import MappingProxyType

from tts_core.domain.text import speakable

_CLOSING = "\"'”’»)\\]）】」』》"
_ENDING = ".!?।॥؟۔։"
_SENTENCE_END = re.compile(
    # wide punctuation needs no space after it
    rf"[。！？；…｡]+[{_CLOSING}]*\s*"
    # a run of marks is looked at from its first one only: from each of them, it would take quadratic time
    rf"|(?<![{_ENDING}])[{_ENDING}]+[{_CLOSING}]*(?:\s+|$)"
)
_ANY_SENTENCE_END = re.compile(
    rf"{_SENTENCE_END.pattern}|(?<![{_ENDING}])[!?]+[{_CLOSING}]*(?=[\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3])"
)
"""The marks that may end a sentence; narrow ones in Chinese and Japanese, too, where no blank follows."""
_CLOSERS = frozenset("\"'”’»)]）】」』》")
_QUOTES = MappingProxyType(dict(zip("「『“（(【《«„", "」』”）)】》»“", strict=True)))
"""The signs that open a quotation or a bracket, and those that close it."""
_QUOTE_MARKS = re.compile("[「『“（(【《«„」』”）)】》»]")
_MOST_OPEN = 16
_LEADING_ON_AFTER_QUOTE = re.compile("(?:と|って|を|は|が|に|の|も|라고|하고|、|，|,)")
"""The beginnings of what follows a quotation in the same sentence."""
CLAUSE_MARKS = ",，、;:：—–،"
"""The marks that part a sentence without ending it."""
_CLAUSE_END = re.compile(rf"[{CLAUSE_MARKS}](?![\d/])[{_CLOSING}]*\s*")
_STOP_INSIDE = re.compile(r"\.(?=\s)")

_LEADING_ON = {
    # abbreviations before a name or whatever else is explained, by language: they end no sentence
    "en": "mr mrs ms mx messrs dr prof st mt ft gen col capt cpt cmdr lt sgt cpl maj adm rev hon gov sen rep pres supt"
    " vs cf viz approx ca",
    "de": "hr hrn fr frl bzw sog vgl ggf inkl exkl zzgl dipl",
    "fr": "mme mlle mgr",
    "es": "sr sra srta sres dª dña ud uds vd lic",
    "pt": "exmo exma dra profa",
    "it": "sig sigg dott avv",
    "nl": "dhr mevr mw drs",
    "ru": "ул пр просп пер пл им тов проф акад гр",
    "uk": "вул",
    "pl": "ul hab inż mec",
    "vi": "tp ths pgs ts",
    "hi": "डॉ प्रो",
    "th": "ดร",
}
_BEFORE_NUMBERS = {
    # abbreviations before a number or a bracket: elsewhere they are words of their own, or end a sentence
    "en": "no nos nr nrs fig figs vol vols pg pp ch chap sec sect art arts eq eqs ref refs tab app op ext tel ver al"
    " jan feb mar apr jun jul aug sep sept oct nov dec",
    "de": "abb kap bd jh abs ziff hausnr",
    "es": "núm num pág págs cap tít",
    "it": "pag cfr",
    "ru": "стр рис гл тел табл см ст п",
}
_LEADING_ON_WORDS = frozenset(" ".join(_LEADING_ON.values()).split())
_BEFORE_NUMBERS_WORDS = frozenset(" ".join(_BEFORE_NUMBERS.values()).split())
_DOTTED_THAT_END = frozenset({"a.m", "p.m", "u.s.w", "т.д", "т.п", "κ.λπ"})
"""Abbreviations with inner full stops that often close a sentence; all others lead on, as "e.g." does."""
_AFTER_ORDINALS = re.compile(
    "(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
    "|Jahrhundert|Weltkrieg|Klasse|Kapitel|Auflage|Geburtstag)"
)
"""German words before which a number with a full stop is an ordinal: "am 3. Oktober"."""
_LONGEST_WORD = 16
"""The most characters that are looked at before a full stop; no abbreviation is longer."""


def split_sentences(text: str, *, max_chars: int) -> list[str]:
    """Sentences of `text` in order, none longer than `max_chars`; long ones part at a comma, else at a space.

    >>> split_sentences("It is 3.5 km to St. Ives. 走吧！好。", max_chars=100)
    ['It is 3.5 km to St. Ives.', '走吧！', '好。']
    """
    pieces = (piece for sentence in _cut(text) for piece in _shorten(sentence, max_chars))
    return _join_unspeakable(pieces, max_chars)


def sentence_ends(text: str, *, longest_quote: int = 120) -> Iterator[int]:
    """The places in `text` where a sentence and the blanks after it end, the last one at the end of the text.

    A quotation or a bracket of at most `longest_quote` characters stays whole. An ellipsis amid a sentence ends none.

    >>> text = "「行く。すぐに。」と言った。いいえ！"
    >>> [text[:end] for end in sentence_ends(text)]
    ['「行く。すぐに。」と言った。', '「行く。すぐに。」と言った。いいえ！']
    """
    quotes = _quotes(text, longest_quote)
    for match in _ANY_SENTENCE_END.finditer(text):
        end = match.end()
        if end < len(text) and _ends_sentence(text, match) and not _is_inside(quotes, match.start(), end):
            yield end
    if text:
        yield len(text)


def without_inner_stops(sentence: str) -> str:
    """`sentence` without the full stops that end nothing, for synthesizers that pause at every one.

    >>> without_inner_stops("Prof. Green lives at No. 5.")
    'Prof Green lives at No 5.'
    """
    return _STOP_INSIDE.sub(lambda stop: "" if _is_short_for_more(sentence, stop.start()) else ".", sentence)


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """Whether the marks end a sentence for a reader; stricter than what engines pause at."""
    marks, after = match.group().rstrip(), text[match.end()]
    is_closed = marks[-1] in _CLOSERS
    if _LEADING_ON_AFTER_QUOTE.match(text, match.end()) and (is_closed or after in "，,、；;"):
        return False
    if set(marks) <= {"…"} and match.end() == match.start() + len(marks):  # a blank or a quote's end follows others
        return False
    return _ends_here(text, match)


def _quotes(text: str, longest: int) -> list[tuple[int, int]]:
    """The quotations and brackets of at most `longest` characters, in order, none of them inside another."""
    found: list[tuple[int, int]] = []
    open_at: list[tuple[str, int]] = []
    for mark in _QUOTE_MARKS.finditer(text):
        sign, at = mark.group(), mark.start()
        if sign in _QUOTES and not (sign == "“" and open_at and open_at[-1][0] == sign):  # a German one ends so
            open_at.append((_QUOTES[sign], at))
            continue
        level = next((level for level in range(len(open_at) - 1, -1, -1) if open_at[level][0] == sign), None)
        if level is None:
            continue
        start = open_at[level][1]
        del open_at[level:]
        if at - start <= longest:
            while found and found[-1][0] > start:
                found.pop()
            found.append((start, at))
        open_at = open_at[-_MOST_OPEN:]
    return found


def _is_inside(quotes: list[tuple[int, int]], start: int, end: int) -> bool:
    """Whether the marks from `start` on stand in a quotation that goes on after `end`."""
    at = bisect_right(quotes, start, key=lambda quote: quote[0]) - 1
    return at >= 0 and quotes[at][0] < start and end <= quotes[at][1]


def _cut(text: str) -> Iterator[str]:
    """Parts of `text`, each up to and including the marks that end a sentence."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if _ends_here(text, match):
            yield text[start : match.end()].strip()
            start = match.end()
    if rest := text[start:].strip():
        yield rest


def _ends_here(text: str, match: re.Match[str]) -> bool:
    """Whether the marks end a sentence: not before a small letter, and not after an abbreviation."""
    first, after = text[match.start()], text[match.end() : match.end() + 1]
    if not after or first not in ".!?…":
        return True
    if after.islower() and after != after.title():  # Georgian has small letters only
        return False
    marks = match.group().rstrip()
    return marks != "." or not (_is_short_for_more(text, match.start()) or _is_ordinal(text, match))


def _is_short_for_more(text: str, stop: int) -> bool:
    """Whether the full stop at `stop` belongs to an abbreviation that leads on to the next word."""
    word, rest = _word_before(text, stop), text[stop + 1 : stop + 1 + _LONGEST_WORD].lstrip()
    plain, after = word.casefold(), rest[:1]
    if len(word) == 1 and word.isalpha():
        return _is_initial(text, stop, rest)
    if "." in word:
        is_dotted = all(0 < len(part) <= 2 and part.isalpha() for part in word.split("."))
        return is_dotted and plain not in _DOTTED_THAT_END
    return plain in _LEADING_ON_WORDS or (plain in _BEFORE_NUMBERS_WORDS and (after.isdigit() or after in {"(", "["}))


def _is_initial(text: str, stop: int, rest: str) -> bool:
    """Whether the single letter before the full stop stands for a longer word, as in "J. K. Rowling" and "p. 5"."""
    letter = text[stop - 1]
    if letter == "I":  # mostly a word of its own
        before = text[max(0, stop - 2 * _LONGEST_WORD) : stop - 1].rstrip()
        return not before or _word_before(before, len(before))[:1].isupper()
    if letter.isascii() and letter.islower():
        return rest[:1].isdigit() or (rest[:1].isalpha() and rest[1:2] == ".")  # "p. 5", "z. B."
    return letter.lower() != letter.upper() or "\u0620" <= letter <= "\u064a"  # Arabic has one size of letters


def _is_ordinal(text: str, match: re.Match[str]) -> bool:
    number = _word_before(text, match.start())
    return len(number) <= 2 and number.isdigit() and _AFTER_ORDINALS.match(text, match.end()) is not None


def _word_before(text: str, end: int) -> str:
    """The word with its inner full stops that ends at `end`; "" for one that is longer than any abbreviation."""
    start = end
    while start > 0 and _is_of_a_word(text[start - 1]):
        start -= 1
        if end - start > _LONGEST_WORD:
            return ""
    return text[start:end]


def _is_of_a_word(char: str) -> bool:
    return char == "." or char.isalnum() or unicodedata.category(char)[0] == "M"


def _shorten(sentence: str, max_chars: int) -> Iterator[str]:
    """Pieces of at most `max_chars`, parted as late as possible at a clause end, else a space, else anywhere."""
    start, end = 0, len(sentence)
    while end - start > max_chars:
        head = sentence[start : start + max_chars]
        clause_ends = [match.end() for match in _CLAUSE_END.finditer(head)]
        cut = clause_ends[-1] if clause_ends else head.rfind(" ") + 1 or max_chars
        yield head[:cut].strip()
        start += cut
        while start < end and sentence[start].isspace():
            start += 1
    if start < end:
        yield sentence[start:]


def _join_unspeakable(pieces: Iterator[str], max_chars: int) -> list[str]:
    """Put stray punctuation at the end of the piece before it; drop it where that grows too long or there is none."""
    joined: list[str] = []
    for piece in pieces:
        if speakable(piece):
            joined.append(piece)
        elif joined and len(joined[-1]) + 1 + len(piece) <= max_chars:
            joined[-1] += f" {piece}"
    return joined
