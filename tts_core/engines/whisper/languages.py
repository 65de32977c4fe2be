"""The languages that Whisper knows, and the one of them that people and engines mean by a name or code."""

from __future__ import annotations

from types import MappingProxyType

from tts_core.domain.languages import find_language
from tts_core.domain.values import AUTO_LANGUAGE, Language
from tts_core.engines.faults import UnknownSpokenLanguage

_TABLE = """
    en english, zh chinese, de german, es spanish, ru russian, ko korean, fr french, ja japanese, pt portuguese,
    tr turkish, pl polish, ca catalan, nl dutch, ar arabic, sv swedish, it italian, id indonesian, hi hindi, fi
    finnish, vi vietnamese, he hebrew, uk ukrainian, el greek, ms malay, cs czech, ro romanian, da danish, hu
    hungarian, ta tamil, no norwegian, th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian, la latin, mi
    maori, ml malayalam, cy welsh, sk slovak, te telugu, fa persian, lv latvian, bn bengali, sr serbian, az
    azerbaijani, sl slovenian, kn kannada, et estonian, mk macedonian, br breton, eu basque, is icelandic, hy
    armenian, ne nepali, mn mongolian, bs bosnian, kk kazakh, sq albanian, sw swahili, gl galician, mr marathi,
    pa punjabi, si sinhala, km khmer, sn shona, yo yoruba, so somali, af afrikaans, oc occitan, ka georgian, be
    belarusian, tg tajik, sd sindhi, gu gujarati, am amharic, yi yiddish, lo lao, uz uzbek, fo faroese, ht
    haitian creole, ps pashto, tk turkmen, nn nynorsk, mt maltese, sa sanskrit, lb luxembourgish, my myanmar, bo
    tibetan, tl tagalog, mg malagasy, as assamese, tt tatar, haw hawaiian, ln lingala, ha hausa, ba bashkir, jw
    javanese, su sundanese, yue cantonese
"""
"""Whisper's own codes and names; each model knows some of them."""
LANGUAGES = MappingProxyType(
    {code: name.title() for code, name in (row.split(maxsplit=1) for row in " ".join(_TABLE.split()).split(","))}
)
_OTHER_CODES = MappingProxyType(
    {"cmn": "zh", "nb": "no", "nor": "no", "fil": "tl", "iw": "he", "jv": "jw", "burmese": "my", "flemish": "nl"}
)


def spoken_language(wanted: str) -> str | None:
    """Whisper's code for a code or name as people and voices use them ("Chinese", "cmn", "en-us"); None for Auto.

    Raises UnknownSpokenLanguage.
    """
    name = wanted.strip().lower()
    name = _OTHER_CODES.get(name, name)
    choices = [Language(AUTO_LANGUAGE, "Auto"), *(Language(code, name) for code, name in LANGUAGES.items())]
    found = find_language(name, choices)
    if found is None:
        raise UnknownSpokenLanguage(model="Whisper", language=wanted)
    return None if found.code == AUTO_LANGUAGE else found.code
