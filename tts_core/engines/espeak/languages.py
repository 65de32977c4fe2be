"""espeak-ng's languages under names that people read, without those that are tests or duplicates."""

from __future__ import annotations

from types import MappingProxyType

from tts_core.domain.values import AUTO_LANGUAGE, Language
from tts_core.engines.espeak.library import EspeakVoice

AUTO = Language(AUTO_LANGUAGE, "Auto")

_HIDDEN = frozenset({"art/xex", "gmq/fo", "trk/kaa"})
"""The first is for espeak-ng's own tests; the others are silent, as the package lacks their dictionaries."""
_BETTER_NAMES = MappingProxyType(
    {
        "sit/cmn": "Chinese (Mandarin)",
        "sit/cmn-Latn-pinyin": "Chinese (Mandarin, written in Pinyin)",
        "sit/yue-Latn-jyutping": "Chinese (Cantonese, written in Jyutping)",
        "sit/hak": "Chinese (Hakka)",
        "sit/my": "Burmese",
        "inc/or": "Odia",
        "gmw/en-Shaw": "English (written in Shavian)",
        # espeak-ng has no readings of kanji: it says "Chinese letter" for each
        "jpx/ja": "Japanese (kana only)",
    }
)


def language_table(voices: tuple[EspeakVoice, ...]) -> dict[str, tuple[Language, str]]:
    """The languages by code, ordered by name, each with the identifier that selects it."""
    table: dict[str, tuple[Language, str]] = {}
    for voice in voices:
        # MBROLA voices need data that is not in the package
        if voice.identifier in _HIDDEN or voice.identifier.startswith("mb/"):
            continue
        code = voice.codes[0].lower()
        if code in table:  # the variants of Cantonese share one code
            code = voice.identifier.split("/")[-1].lower()
        name = _BETTER_NAMES.get(voice.identifier, voice.name.strip())
        table[code] = (Language(code, name), voice.identifier)
    return dict(sorted(table.items(), key=lambda item: item[1][0].name))
