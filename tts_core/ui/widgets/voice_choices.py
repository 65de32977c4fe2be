"""Choices of pickers: the voices that need nothing but a text, and the languages of one of them."""

from __future__ import annotations

from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, Voice
from tts_core.engines.builtin.engine import NAME as BUILTIN
from tts_core.engines.hibari.voices import NAME as HIBARI
from tts_core.engines.piper.engine import NAME as PIPER
from tts_core.engines.yourtts.engine import NAME as YOURTTS
from tts_core.services import Services
from tts_core.ui.words import Words
from tts_core.voices.engine import NAME as LIBRARY

COMMON_LANGUAGES = ("en-us", "en-gb", "cmn", "yue", "ja", "ko", "de", "fr-fr", "es", "pt-br", "it", "ru")


def speaking_voices(services: Services) -> list[Voice]:
    """The voices that need only a text: saved ones first, then the others, best first. Voices that clone or must be
    described are left out."""
    voices = [voice for voice, can in _with_abilities(services) if not (can.can_clone or can.can_design)]
    return sorted(voices, key=lambda voice: voice.engine != LIBRARY)


def design_voices(services: Services) -> list[Voice]:
    """The voices that are made from a description."""
    return [voice for voice, can in _with_abilities(services) if can.can_design]


def best_voice(voices: list[Voice]) -> Voice:
    """The voice for somebody who chose none: a model's speaker, else a saved voice, else the built-in one, which speaks
    every language."""
    rank = {LIBRARY: 1, BUILTIN: 2, HIBARI: 3, PIPER: 3, YOURTTS: 3}
    return min(voices, key=lambda voice: rank.get(voice.engine, 0))


def voice_named(voices: list[Voice], wanted: str) -> Voice | None:
    """The voice with that id, else the first one of that name, as in an address that somebody wrote; None if there is
    neither."""
    by_id = (voice for voice in voices if voice.id == wanted)
    by_name = (voice for voice in voices if voice.name.casefold() == wanted.casefold())
    return next(by_id, None) or next(by_name, None)


def language_choices(words: Words, can: Capabilities) -> list[tuple[str, str]]:
    """The (label, code) of each language: Auto first, then widely spoken languages, the rest in the engine's order."""
    named = {one.code: words.get(f"language.{one.code}", one.name) for one in can.languages}
    named[AUTO_LANGUAGE] = words("speak.language_auto")
    first = [code for code in (AUTO_LANGUAGE, *COMMON_LANGUAGES) if code in named]
    return [(named[code], code) for code in dict.fromkeys((*first, *named))]


def _with_abilities(services: Services) -> list[tuple[Voice, Capabilities]]:
    """The voices with their abilities. An engine is asked once: all its voices clone, or none, and there may be
    thousands."""
    known: dict[str, Capabilities] = {}
    voices = services.synthesis.voices()
    for voice in voices:
        if voice.engine not in known:
            known[voice.engine] = services.synthesis.capabilities(voice.id)
    return [(voice, known[voice.engine]) for voice in voices]
