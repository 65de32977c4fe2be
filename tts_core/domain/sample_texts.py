"""A short sentence for each widely spoken language, with which a voice introduces itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tts_core.domain.languages import short_code
from tts_core.domain.values import Language

SAMPLE_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "en": "Hello, this is my voice. Nice to meet you.",
        "zh": "你好，这是我的声音，很高兴认识你。",
        "yue": "你好，呢個係我嘅聲，好高興識到你。",
        "ja": "こんにちは、これがわたしのこえです。どうぞよろしく。",
        "ko": "안녕하세요, 이것이 제 목소리입니다. 반갑습니다.",
        "de": "Hallo, das ist meine Stimme. Schön, dich kennenzulernen.",
        "fr": "Bonjour, voici ma voix. Ravie de vous rencontrer.",
        "es": "Hola, esta es mi voz. Mucho gusto.",
        "pt": "Olá, esta é a minha voz. Muito prazer.",
        "it": "Ciao, questa è la mia voce. Piacere di conoscerti.",
        "ru": "Здравствуйте, это мой голос. Приятно познакомиться.",
        "nl": "Hallo, dit is mijn stem. Leuk je te ontmoeten.",
        "pl": "Cześć, to jest mój głos. Miło cię poznać.",
        "uk": "Вітаю, це мій голос. Приємно познайомитися.",
        "tr": "Merhaba, bu benim sesim. Tanıştığıma memnun oldum.",
        "ar": "مرحبًا، هذا هو صوتي. سررت بلقائك.",
        "hi": "नमस्ते, यह मेरी आवाज़ है। आपसे मिलकर खुशी हुई।",
        "vi": "Xin chào, đây là giọng nói của tôi. Rất vui được gặp bạn.",
        "sv": "Hej, det här är min röst. Trevligt att träffas.",
    }
)
"""The sentences by the short codes of their languages."""


def sample_text(language: str) -> str:
    """The sentence in that language, given by code or name; the English one where there is none.

    >>> sample_text("German")
    'Hallo, das ist meine Stimme. Schön, dich kennenzulernen.'
    """
    return SAMPLE_TEXTS.get(short_code(Language(language, language)), SAMPLE_TEXTS["en"])
