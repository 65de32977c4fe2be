"""Hibari's voices as an engine: natural English on any processor. The packaged voice needs no download."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tts_core.domain.chunks import in_chunks
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import UnknownLanguage, UnknownVoice
from tts_core.domain.events import EngineEvent, Finished, Loading, Samples
from tts_core.domain.languages import find_language
from tts_core.domain.sentences import split_sentences
from tts_core.domain.text import paragraphs
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, Language, SynthesisRequest, Voice
from tts_core.engines.hibari.model import MEMORY_BYTES, SAMPLE_RATE, HibariModel, is_installed, packaged_file
from tts_core.engines.hibari.voices import NAME, VOICES, HibariVoice
from tts_core.models.cached_model import ModelLoader
from tts_core.models.memory import ModelCache, ModelMemory

AUTO = Language(AUTO_LANGUAGE, "Auto")
MAX_SENTENCE_CHARS = 300
PARAGRAPH_PAUSE_S = 0.35
"""Silence at speed 1 between paragraphs; the voices begin and end every sentence with some of their own."""

FindFile = Callable[[str], Path | None]
"""A function from a model's key to the voice's file below the models folder; None where it is not ready."""


class HibariEngine:
    """The engine of every Hibari voice that is there. See `domain.engine.Engine`."""

    name = NAME

    def __init__(self, downloaded: FindFile, memory: ModelMemory) -> None:
        """`downloaded` finds what the catalogue's models brought; `memory` keeps the voices that are in use."""
        self._downloaded = downloaded
        self._is_installed = is_installed()
        loader = ModelLoader(
            NAME,
            load=lambda file, _progress: HibariModel.load(self._voice_in(file), file),
            files=lambda key: self._file(self._find(f"{NAME}/{key}")),
            size_of=lambda _file: MEMORY_BYTES,
            name_of=str.capitalize,
        )
        self._cache = ModelCache(memory, loader)

    def sample_rate(self, voice: str) -> int:
        return SAMPLE_RATE

    def voices(self) -> tuple[Voice, ...]:
        return tuple(Voice(voice.id, voice.name, NAME, _description(voice)) for voice in self._present())

    def capabilities(self, voice: str | None = None) -> Capabilities:
        voices = self._present() if voice is None else (self._find(voice),)
        languages = {one.language.code: one.language for one in voices}
        return Capabilities((AUTO, *languages.values()), supports_speed=True)

    def at_once(self, voice: str) -> int:
        return 1

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        voice = self._find(request.voice)
        if find_language(request.language, (AUTO, voice.language)) is None:
            raise UnknownLanguage(language=request.language)
        return self._speak(request, voice, cancelled)

    def close(self) -> None:
        """Nothing of its own to free: the memory holds the voices."""

    def _present(self) -> tuple[HibariVoice, ...]:
        if not self._is_installed:
            return ()
        return tuple(voice for voice in VOICES if not voice.model_key or self._downloaded(voice.model_key))

    def _find(self, voice_id: str | None) -> HibariVoice:
        for voice in self._present():
            if voice_id in (None, voice.id):
                return voice
        raise UnknownVoice(voice=voice_id or NAME)

    def _file(self, voice: HibariVoice) -> Path:
        """The voice's network. Raises UnknownVoice where it has gone meanwhile."""
        file = self._downloaded(voice.model_key) if voice.model_key else packaged_file()
        if file is None:
            raise UnknownVoice(voice=voice.id)
        return file

    def _voice_in(self, file: Path) -> HibariVoice:
        return next(voice for voice in self._present() if self._file(voice) == file)

    def _speak(self, request: SynthesisRequest, voice: HibariVoice, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        seed = secrets.randbits(32) if request.seed is None else request.seed
        with self._cache.begin(voice.key) as lease:
            for done_bytes, total_bytes in lease.progress():
                yield Loading(voice.name, done_bytes, total_bytes)
            sounds = _sentences(lease.model(), request, seed)
            reason = yield from in_chunks(sounds, SAMPLE_RATE, max_seconds=request.max_seconds, cancelled=cancelled)
        yield Finished(reason, seed=seed)


def _sentences(model: HibariModel, request: SynthesisRequest, seed: int) -> Iterator[Samples]:
    """Yield the sound of one sentence after the other, so that memory does not grow with the text."""
    pause_s = 0.0
    for line in paragraphs(request.text):
        for sentence in split_sentences(line, max_chars=MAX_SENTENCE_CHARS):
            sound = model.speak(sentence, speed=request.speed, seed=seed)
            if len(sound):
                yield np.zeros(round(pause_s / request.speed * SAMPLE_RATE), np.float32)
                yield sound
                pause_s = 0.0
        pause_s = PARAGRAPH_PAUSE_S


def _description(voice: HibariVoice) -> str:
    accent = "American" if voice.language.code == "en-us" else "British"
    return f"Hibari, {accent} English, {voice.gender}"
