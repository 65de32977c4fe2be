"""Letters, digits and signs as a voice can say them: the plain forms of full-width, styled and circled ones."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_PLAIN_SIGNS = frozenset("％＋－＝＆＠＃＄／＂＇￥￡￠￦")
"""Full-width signs that mean the same when narrow. Chinese and Japanese punctuation stays: it parts sentences."""
_KEPT = frozenset("ªº™℠№…‥⋯¨¯´¸˘˙˚˛˜˝῀") | frozenset("¹²³⁰⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾")
"""Signs that synthesizers know, as in "m²", and that would mean something else in plain letters."""
_KEPT_KINDS = frozenset({"<fraction>", "<noBreak>"})
_LETTER_SETS = ("\U0001f150", "\U0001f170")
"""The letters A of two alphabets in black circles and squares, which Unicode does not relate to plain letters."""
_HANGUL_LETTERS = ("\u3131", "\u318e")
_MOST_CHARS = 8
"""The most characters that one stands for; longer ones are pictures of whole sentences."""
_INSIDE_NUMBERS = re.compile(r"(?<=[0-9A-Za-z])．(?=[0-9A-Za-z])|(?<=[0-9])(?:，(?=[0-9]{3}(?![0-9]))|：(?=[0-9]))")
_NARROW = {"．": ".", "，": ",", "：": ":"}
_HYPHENS = {"\u2010": "-", "\u2011": "-"}


def spoken_forms(text: str) -> str:
    """`text` with plain letters and digits for full-width, styled and circled ones, ligatures and unit signs.

    Fractions, superscript digits and the punctuation of Chinese and Japanese stay as they are.

    >>> spoken_forms("共１２３页，𝐇𝐞𝐥𝐥𝐨 ﬁne，①½ m²")
    '共123页，Hello fine，1½ m²'
    """
    plain = unicodedata.normalize("NFC", _NOT_ASCII.sub(_plain_run, text))
    return _INSIDE_NUMBERS.sub(lambda sign: _NARROW[sign.group()], plain)


def _plain_run(run: re.Match[str]) -> str:
    parts, before = [], run.string[run.start() - 1 : run.start()]
    for char in run.group():
        plain = _plain(char)
        if plain != char and plain.isdigit() and _is_number(before) and unicodedata.category(char) == "No":
            plain = f" {plain}"  # "10①" is not 101
        parts.append(plain)
        before = plain
    return "".join(parts)


def _is_number(text: str) -> bool:
    return text[-1:].isdigit()


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """The characters that `char` stands for; itself where it can be said as it is."""
    if char in _PLAIN_SIGNS:
        return unicodedata.normalize("NFKC", char)
    if char in _KEPT or _HANGUL_LETTERS[0] <= char <= _HANGUL_LETTERS[1]:
        return char
    if other := _HYPHENS.get(char) or _letter_in_black(char) or _number_in_black(char):
        return other
    kind, _, codes = unicodedata.decomposition(char).partition(" ")
    if not kind.startswith("<") or kind in _KEPT_KINDS:
        return char
    if kind == "<wide>" and not char.isalnum():
        return char
    plain = "".join(_plain(chr(int(code, 16))) for code in codes.split())
    return char if len(plain) > _MOST_CHARS or plain.startswith(" ") else plain


def _letter_in_black(char: str) -> str:
    for first in _LETTER_SETS:
        if 0 <= (place := ord(char) - ord(first)) < 26:
            return chr(ord("A") + place)
    return ""


def _number_in_black(char: str) -> str:
    is_circled = "\u2776" <= char <= "\u2793" or "\u24eb" <= char <= "\u24f4" or char == "\u24ff"
    return str(int(unicodedata.numeric(char))) if is_circled else ""
