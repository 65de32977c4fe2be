"""The built-in voice for any text: English by a natural voice, every other language by the one that speaks them all."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from tts_core.audio.files import Resampler
from tts_core.domain.engine import CancelCheck, Engine, never
from tts_core.domain.errors import EngineFailed, StudioError, UnknownLanguage, UnknownVoice
from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.languages import find_language
from tts_core.domain.sentences import split_sentences
from tts_core.domain.text import detect_language, paragraphs
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, StopReason, SynthesisRequest, Voice

logger = logging.getLogger(__name__)

NAME = "builtin"
VOICE = f"{NAME}/by-language"
SAMPLE_RATE = 24_000
MAX_SENTENCE_CHARS = 300
PAUSE_S = 0.25
"""Silence at speed 1 where another voice takes over."""
_NATURAL = ("en", "en-us")
"""The languages of the natural voice; it has no other accent."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Sentences in a row that one voice speaks."""

    is_natural: bool
    text: str


class ByLanguageEngine:
    """Speaks each sentence in the language it is written in, with the better of two engines for it."""

    name = NAME

    def __init__(self, natural: Engine, other: Engine) -> None:
        """`natural` speaks English at SAMPLE_RATE wherever it has a voice; `other` speaks everything."""
        self._natural = natural
        self._other = other
        self._problem = ""

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engine itself and the two it speaks with, whose voices can be chosen by themselves."""
        return (self, self._other, self._natural)

    @property
    def problem(self) -> str:
        """Why the natural voice does not speak on this machine, as a sentence in English; "" if it does."""
        if not self._natural.voices():
            return "The package hibari-tts or onnxruntime is not installed."
        return self._problem

    def sample_rate(self, voice: str) -> int:
        return SAMPLE_RATE

    def voices(self) -> tuple[Voice, ...]:
        description = "Built-in: natural English, every other language by espeak-ng; nothing to download."
        return (Voice(VOICE, "Built-in (by language)", NAME, description),)

    def capabilities(self, voice: str | None = None) -> Capabilities:
        return self._other.capabilities()

    def at_once(self, voice: str) -> int:
        return 1

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        if request.voice not in (None, VOICE):
            raise UnknownVoice(voice=request.voice)
        language = find_language(request.language, self.capabilities().languages)
        if language is None:
            raise UnknownLanguage(language=request.language)
        return self._speak(dataclasses.replace(request, language=language.code), cancelled)

    def prepare(self) -> None:
        """Load the natural voice, so that its first sound is not waited for; it stays for as long as idle models stay.
        Whoever speaks with it is told why it can't be loaded."""
        with suppress(StudioError):
            for event in self._spoken(SynthesisRequest("Hello."), is_natural=True, cancelled=never):
                if isinstance(event, AudioChunk):
                    return

    def close(self) -> None:
        """Nothing of its own to free: the engines it speaks with are closed where they were made."""

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        room_s, made_s = request.max_seconds, 0.0
        seed: int | None = request.seed
        for number, part in enumerate(_parts(request)):
            if number:
                yield AudioChunk(np.zeros(round(PAUSE_S / request.speed * SAMPLE_RATE), np.float32))
            left = None if room_s is None else max(0.0, room_s - made_s)
            wanted = dataclasses.replace(request, text=part.text, seed=seed, max_seconds=left)
            for event in self._spoken(wanted, is_natural=part.is_natural, cancelled=cancelled):
                if isinstance(event, Finished):
                    seed = seed if event.seed is None else event.seed
                    if event.stop_reason is not StopReason.COMPLETE:
                        yield dataclasses.replace(event, seed=seed)
                        return
                    continue
                if isinstance(event, AudioChunk):
                    made_s += len(event.samples) / SAMPLE_RATE
                yield event
        yield Finished(StopReason.COMPLETE, seed=seed)

    def _spoken(self, request: SynthesisRequest, *, is_natural: bool, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        """Speak a part. The other engine takes over where the natural voice breaks before there was a sound."""
        if is_natural and not self.problem:
            has_sound = False
            try:
                natural = dataclasses.replace(request, voice=self._natural.voices()[0].id, language=AUTO_LANGUAGE)
                for event in self._natural.stream(natural, cancelled=cancelled):
                    has_sound = has_sound or isinstance(event, AudioChunk)
                    yield event
            except EngineFailed as error:
                if has_sound:
                    raise
                self._problem = error.message
                logger.warning("the natural built-in voice can't speak, espeak-ng takes its place: %s", error.message)
            else:
                return
        yield from self._by_other(request, cancelled)

    def _by_other(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        voice = self._other.voices()[0].id
        resampler = Resampler(self._other.sample_rate(voice), SAMPLE_RATE)
        other = dataclasses.replace(request, voice=voice)
        for event in self._other.stream(other, cancelled=cancelled):
            if isinstance(event, Finished):
                yield AudioChunk(resampler.end())
                yield event
            elif isinstance(event, AudioChunk):
                yield AudioChunk(resampler.resample(event.samples))
            else:
                yield event


def _parts(request: SynthesisRequest) -> Iterator[_Part]:
    """Split the text where another voice takes over; the paragraphs of a part stay apart."""
    if request.language != AUTO_LANGUAGE:
        yield _Part(request.language in _NATURAL, request.text)
        return
    sentences = (
        (number, sentence, detect_language(sentence) == "en")
        for number, line in enumerate(paragraphs(request.text))
        for sentence in split_sentences(line, max_chars=MAX_SENTENCE_CHARS)
    )
    for is_natural, run in groupby(sentences, key=lambda one: one[2]):
        lines = groupby(run, key=lambda one: one[0])
        yield _Part(is_natural, "\n".join(" ".join(sentence for _, sentence, _ in line) for _, line in lines))
