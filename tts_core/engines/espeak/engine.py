"""The built-in engine: speaks requests sentence by sentence, each in the language it is written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np

from tts_core.domain.chunks import in_chunks
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import UnknownLanguage, UnknownVoice
from tts_core.domain.events import EngineEvent, Finished
from tts_core.domain.languages import find_language
from tts_core.domain.sentences import CLAUSE_MARKS, split_sentences, without_inner_stops
from tts_core.domain.text import detect_language, paragraphs
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, Language, StopReason, SynthesisRequest, Voice
from tts_core.engines.espeak.languages import AUTO, language_table
from tts_core.engines.espeak.library import LIBRARY, NORMAL_RATE, SAMPLE_RATE, EspeakLibrary, Pcm

NAME = "builtin"
MAX_SENTENCE_CHARS = 300
PARAGRAPH_PAUSE_S, SENTENCE_PAUSE_S, CLAUSE_PAUSE_S = 0.65, 0.3, 0.1
"""Silence at speed 1 after a paragraph, a sentence, and a piece of a sentence that was too long."""

_FULL_SCALE = np.float32(32768.0)
_FADE_S = 0.005
_VARIANTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Aria": ("f2", "female, calm"),
        "Clara": ("f5", "female, bright"),
        "Ben": ("m3", "male, clear"),
        "Henry": ("Reed", "male, full"),
    }
)
"""The voices by name: espeak-ng's variant file and how it sounds."""
_DESCRIPTION = "Built-in voice (espeak-ng): {sound}; synthetic, instant, nothing to download."


def _voice_id(name: str) -> str:
    return f"{NAME}/{name.lower()}"


class EspeakEngine:
    """Speaks more than 130 languages at once with nothing to download. See `domain.engine.Engine`."""

    name = NAME

    def __init__(self, library: EspeakLibrary = LIBRARY) -> None:
        self._library = library

    def voices(self) -> tuple[Voice, ...]:
        return tuple(
            Voice(_voice_id(name), name, NAME, _DESCRIPTION.format(sound=sound))
            for name, (_, sound) in _VARIANTS.items()
        )

    def capabilities(self, voice: str | None = None) -> Capabilities:
        return Capabilities(
            languages=(AUTO, *(language for language, _ in self._languages.values())),
            speakers=tuple(_VARIANTS),
            supports_speed=True,
        )

    def sample_rate(self, voice: str) -> int:
        return SAMPLE_RATE

    def at_once(self, voice: str) -> int:
        return 1

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        variant = self._variant(request.voice)
        language = find_language(request.language, self.capabilities().languages)
        if language is None:
            raise UnknownLanguage(language=request.language)
        return self._speak(request, language.code, variant, cancelled)

    def close(self) -> None:
        """Do nothing: the library holds a few megabytes for the life of the process."""

    @cached_property
    def _languages(self) -> dict[str, tuple[Language, str]]:
        return language_table(self._library.voices())

    def pronounce(self, words: str, language: str) -> str:
        """The pronunciation of words of a language (its short code) in IPA; "" for a language that it has not."""
        found = find_language(language, [known for known, _ in self._languages.values()])
        return "" if found is None else self._library.phonemes(words, voice=self._languages[found.code][1])

    def _variant(self, voice_id: str | None) -> str:
        for name, (variant, _) in _VARIANTS.items():
            if voice_id in (None, _voice_id(name)):
                return variant
        raise UnknownVoice(voice=voice_id)

    def _identifier(self, code: str, sentence: str) -> str:
        """espeak-ng's voice for the language `code`, or for the one that the sentence is written in."""
        if code == AUTO_LANGUAGE:
            languages = [language for language, _ in self._languages.values()]
            code = (find_language(detect_language(sentence), languages) or find_language("en", languages) or AUTO).code
        return self._languages[code][1]

    def _speak(
        self, request: SynthesisRequest, code: str, variant: str, cancelled: CancelCheck
    ) -> Iterator[EngineEvent]:
        sounds = (pcm.astype(np.float32) / _FULL_SCALE for pcm in self._sentences(request, code, variant, cancelled))
        reason = yield from in_chunks(sounds, SAMPLE_RATE, max_seconds=request.max_seconds, cancelled=cancelled)
        if reason is StopReason.COMPLETE and cancelled():  # the library then ends a sentence early
            reason = StopReason.CANCELLED
        yield Finished(reason, seed=None)

    def _sentences(self, request: SynthesisRequest, code: str, variant: str, cancelled: CancelCheck) -> Iterator[Pcm]:
        """Yield the sound of one sentence after the other, each with the silence that belongs before it."""
        pause_s = 0.0
        for line in paragraphs(request.text):
            for sentence in split_sentences(line, max_chars=MAX_SENTENCE_CHARS):
                yield np.zeros(round(pause_s / request.speed * SAMPLE_RATE), dtype=np.int16)
                yield _faded_out(
                    self._library.synthesize(
                        without_inner_stops(sentence),
                        voice=f"{self._identifier(code, sentence)}+{variant}",
                        rate=round(NORMAL_RATE * request.speed),
                        cancelled=cancelled,
                    )
                )
                pause_s = _pause_after(sentence)
            pause_s = PARAGRAPH_PAUSE_S


def _pause_after(piece: str) -> float:
    if piece[-1].isalnum():  # a sentence that was parted at a space
        return 0.0
    return CLAUSE_PAUSE_S if piece[-1] in CLAUSE_MARKS else SENTENCE_PAUSE_S


def _faded_out(sound: Pcm) -> Pcm:
    """Fade the end of a sound: some variants have an echo that breaks off, which would click."""
    length = min(round(_FADE_S * SAMPLE_RATE), len(sound))
    faded: Pcm = sound.copy()
    faded[len(sound) - length :] = faded[len(sound) - length :] * np.linspace(1, 0, length)
    return faded
