"""The search for the language of an engine that a person means by "zh", "Chinese", "english" or "pt-BR"."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from tts_core.domain.values import AUTO_LANGUAGE, Language

_SAME_LANGUAGE = (
    # names people use for one language, the codes engines give it last, preferred first
    ("auto", "automatic", "auto detect", "自动", AUTO_LANGUAGE),
    ("zh", "zh-cn", "zh-hans", "zh-tw", "zh-hant", "chinese", "mandarin", "中文", "cmn"),
    ("yue", "zh-yue", "zh-hk", "cantonese", "粤语"),
    ("en", "eng", "english", "英语", "en-us", "en-gb"),
    ("de", "deu", "german", "deutsch"),
    ("fr", "fra", "french", "français", "fr-fr"),
    ("es", "spa", "spanish", "español"),
    ("pt", "por", "portuguese", "português", "pt-br"),
    ("it", "ita", "italian", "italiano"),
    ("ru", "rus", "russian", "русский"),
    ("ja", "jpn", "jp", "japanese", "日本語"),
    ("ko", "kor", "korean", "한국어"),
    ("nb", "no", "nor"),
)
_LONGEST_NAME = 100
"""The most characters of a code or a name; a longer text names no language."""
_ALIASES = MappingProxyType({name: group for group in _SAME_LANGUAGE for name in group})


def find_language(wanted: str, languages: Sequence[Language]) -> Language | None:
    """The one of `languages` that `wanted` names by code, name or common alias in any case; None if there is none.

    >>> find_language("Chinese", [Language("auto", "Auto"), Language("cmn", "Chinese (Mandarin)")]).code
    'cmn'
    """
    if len(wanted) > _LONGEST_NAME:
        return None
    key = wanted.strip().lower().replace("_", "-") or AUTO_LANGUAGE
    by_code = {language.code: language for language in languages}
    by_name = {language.name.lower(): language for language in languages}
    for name in (key, *_ALIASES.get(key, ())):
        if found := by_code.get(name) or by_name.get(name):
            return found
    return _plainest_variety(key, languages) or _of_region(key, languages)


def short_code(language: Language) -> str:
    """The code that other programs know the language by, without a region: "Chinese" or "cmn" -> "zh"."""
    for name in (language.code.lower(), language.name.lower()):
        if name in _ALIASES:
            return _ALIASES[name][0]
    return language.code.partition("-")[0].lower()


def _plainest_variety(key: str, languages: Sequence[Language]) -> Language | None:
    """The variety with the shortest code: "vietnamese" -> "Vietnamese (Northern)", whose code is just "vi"."""
    varieties = [
        language
        for language in languages
        if language.name.lower().startswith(f"{key} ") or language.code.startswith(f"{key}-")
    ]
    return min(varieties, key=lambda language: len(language.code), default=None)


def _of_region(key: str, languages: Sequence[Language]) -> Language | None:
    """The language without its region: "en-au" -> the one that "en" names."""
    language, dash, _region = key.rpartition("-")
    return find_language(language, languages) if dash and language else None
