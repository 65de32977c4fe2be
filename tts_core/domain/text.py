"""Text before it is spoken: cleaning, paragraphs and its likely language. Pure functions that know no engine."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

NormalForm = Literal["NFC", "NFKC"]

_LINE_END = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_BLANK_CATEGORIES = frozenset({"Zs", "Cc", "Cs", "Co", "Cn"})
_INVISIBLE = frozenset("\u00ad\u200b\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = frozenset("\u200c\u200d")  # part of the spelling in Persian and Indic scripts

_KANA_LANGUAGE, _HAN_LANGUAGE = "ja", "cmn"
_SCRIPT_LANGUAGES = {
    # the first word of a letter's Unicode name -> the most spoken language of that script
    "LATIN": "en",
    "CJK": _HAN_LANGUAGE,
    "HIRAGANA": _KANA_LANGUAGE,
    "KATAKANA": _KANA_LANGUAGE,
    "HALFWIDTH": _KANA_LANGUAGE,
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "he",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "THAI": "th",
    "MYANMAR": "my",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "CHEROKEE": "chr",
}
_ALSO_READ_LATIN = frozenset({_KANA_LANGUAGE, _HAN_LANGUAGE, "ko"})
_TELLING_LETTERS = (
    # letters that settle which language of a shared script it is
    ("uk", "іїєґ"),
    ("fa", "پچژگ"),
    ("vi", "ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"),
)
_TELLING_WORDS = {
    # the commonest short words of a language; English first, so that it wins a tie
    "en": "the and is are of to in that it you for with this was have not what",
    "de": "der die das und ist nicht ein eine ich sie wir mit zu auf den dem von es im wie",
    "fr": "le la les et est des une un que je vous nous dans pour pas du il elle avec sur ce",
    "es": "el la los las y es que una un en por con de del no para se está muy cómo",
    "pt": "o a os as e é que um uma não em para com de do da se está muito como você",
    "it": "il la le gli e è che una un non per di del della sono con mi si come in questo",
}
_ENOUGH_WORDS = 2

_LONGEST_NAME = 100
"""The most characters of a name that others are compared with."""
_MOST_MARKS = 30
"""The most marks one letter may carry; no writing needs more (Unicode's Stream-Safe Text Format)."""
_WIDTH_MARKS = "\uff9e\uff9f"  # letters themselves, but marks in NFKC
_LONG_WORD = re.compile(r"[^\s\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff0f]{80}(?=\S)")
"""The first 80 characters of a longer run without blanks; Chinese and Japanese, which need none, don't count."""


def clean(text: str) -> str:
    """`text` as plain characters: composed (NFC), without control and invisible ones, line ends as newlines."""
    lines = _LINE_END.sub("\n", normalized(text, "NFC")).split("\n")
    return "\n".join(" ".join("".join(map(_plain, line)).split()) for line in lines).strip()


def normalized(text: str, form: NormalForm) -> str:
    """`text` in one of Unicode's normal forms, without the marks that are too many for one letter.

    Python sorts a letter's marks in quadratic time: 20,000 of them would hold up every thread for a third of a second.
    """
    if text.isascii():
        return text
    kept, marks = [], 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char)[0] == "M" or char in _WIDTH_MARKS else 0
        if marks <= _MOST_MARKS:
            kept.append(char)
    return unicodedata.normalize(form, "".join(kept))


def part_long_words(text: str) -> str:
    """`text` with a blank wherever a word goes on for more than 80 characters.

    espeak-ng collects a word's suffixes in a buffer of fixed size: "s's's's…" of 136 characters ends the process.
    """
    return _LONG_WORD.sub(r"\g<0> ", text)


def speakable(text: str) -> bool:
    """Whether there is at least one letter or digit to say."""
    return any(unicodedata.category(char)[0] in "LN" for char in text)


def paragraphs(text: str) -> list[str]:
    """The lines of `text` with at least one letter or digit to say."""
    return [line for line in text.splitlines() if speakable(line)]


def detect_language(sentence: str) -> str:
    """The language that the sentence's letters suggest, as a base code: "en", "cmn", "ja", "ko", "ru", …

    Latin script counts as English unless its letters say otherwise. Chinese, Japanese and Korean win over any amount
    of Latin, since their readers take foreign words along and others can't read theirs.
    """
    counts = Counter(language for char in sentence if (language := _language_of(char)))
    if not counts:
        return "en"
    if counts[_KANA_LANGUAGE]:
        return _KANA_LANGUAGE
    language = next((code for code, _ in counts.most_common() if code in _ALSO_READ_LATIN), counts.most_common(1)[0][0])
    for candidate, letters in _TELLING_LETTERS:
        if _language_of(letters[0]) == language and not set(letters).isdisjoint(sentence.lower()):
            return candidate
    return _latin_language(sentence) if language == "en" else language


def _latin_language(sentence: str) -> str:
    words = set(re.findall(r"\w+", sentence.lower()))
    hits = {code: len(words & {*telling.split()}) for code, telling in _TELLING_WORDS.items()}
    best = max(hits, key=lambda code: hits[code])
    return best if hits[best] >= _ENOUGH_WORDS else "en"


def _plain(char: str) -> str:
    if char in _INVISIBLE:
        return ""
    if char in _JOINERS:
        return char
    return " " if unicodedata.category(char) in _BLANK_CATEGORIES else char


def _language_of(char: str) -> str | None:
    if not char.isalpha():
        return None
    return _SCRIPT_LANGUAGES.get(unicodedata.name(char, "").split(" ")[0])


def find_name(wanted: str, known: Iterable[str]) -> str | None:
    """The first of the known names that is the wanted one, apart from case, blanks and underscores; None without."""
    plain = plain_name(wanted)
    return next((name for name in known if plain_name(name) == plain), None)


def nearest_names(wanted: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known names that are most like the wanted one, best first; none where all are far off."""
    if len(wanted) > _LONGEST_NAME:
        return []
    plain = plain_name(wanted)
    spelt: dict[str, str] = {}
    for name in known:
        # an id is like a name if its last part is: "vivian" means "custom_0_6b/vivian"
        for form in (plain_name(name), plain_name(name.rpartition("/")[2])):
            spelt.setdefault(form, name)
    longer = [form for form in spelt if len(plain) > 2 and plain in form]
    alike = get_close_matches(plain, spelt, n=2 * most, cutoff=0.5)
    return list(dict.fromkeys(spelt[form] for form in (*longer, *alike)))[:most]


def plain_name(name: str) -> str:
    """The form that two spellings of one name share: "Uncle Fu" and "uncle_fu" are both "uncle fu"."""
    return " ".join(name.replace("_", " ").casefold().split())
