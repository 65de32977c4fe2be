"""Piper's voices as an engine: all that lie in the voices' folders speak; each model is loaded on first use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tts_core.audio.files import resample
from tts_core.domain.chunks import in_chunks
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import UnknownLanguage, UnknownVoice
from tts_core.domain.events import EngineEvent, Finished, Loading, Samples
from tts_core.domain.languages import find_language
from tts_core.domain.sentences import split_sentences, without_inner_stops
from tts_core.domain.text import paragraphs
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, Language, SynthesisRequest, Voice
from tts_core.engines.piper.model import PiperModel
from tts_core.models.cached_model import ModelLoader
from tts_core.models.files.piper_voices import VoiceFile, VoiceShelf
from tts_core.models.memory import ModelCache, ModelMemory

NAME = "piper"
SAMPLE_RATE = 22_050
"""The rate of most voices, in hertz; the sound of the others is resampled, so that all have one."""
AUTO = Language(AUTO_LANGUAGE, "Auto")
MAX_SENTENCE_CHARS = 300
PARAGRAPH_PAUSE_S, SENTENCE_PAUSE_S = 0.5, 0.15
"""Silence at speed 1 after a paragraph and a sentence; the voices end a sentence with a little of their own."""

FindFolders = Callable[[], Sequence[Path]]


class PiperEngine:
    """The engine of every Piper voice. See `domain.engine.Engine`."""

    name = NAME

    def __init__(self, folders: FindFolders, memory: ModelMemory) -> None:
        """`folders` gives the folders of voices; `memory` keeps the voices that are in use."""
        self._folders = folders
        self._shelf = VoiceShelf()
        loader = ModelLoader(
            NAME,
            load=lambda file, _progress: PiperModel.load(file),
            files=self._model_file,
            size_of=lambda file: file.stat().st_size,
        )
        self._cache = ModelCache(memory, loader)

    def voices(self) -> tuple[Voice, ...]:
        files = self._files()
        labels = _labels(files)
        return tuple(
            Voice(_voice_id(file, speaker), f"{labels[file.name]} {speaker}".strip(), NAME, _description(file))
            for file in files
            for speaker in file.speakers or ("",)
        )

    def capabilities(self, voice: str | None = None) -> Capabilities:
        files = self._files() if voice is None else (self._find(voice)[0],)
        languages = {file.language.code: file.language for file in files}
        speakers = tuple(name for file in files for name in file.speakers)
        return Capabilities((AUTO, *languages.values()), speakers=speakers, supports_speed=True)

    def sample_rate(self, voice: str) -> int:
        return SAMPLE_RATE

    def at_once(self, voice: str) -> int:
        return 1

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        file, speaker = self._find(request.voice)
        if find_language(request.language, (AUTO, file.language)) is None:
            raise UnknownLanguage(language=request.language)
        return self._speak(request, file, speaker, cancelled)

    def close(self) -> None:
        """Nothing of its own to free: the memory holds the voices."""

    def _files(self) -> tuple[VoiceFile, ...]:
        return self._shelf.voices(self._folders())

    def _model_file(self, name: str) -> Path:
        """The file of the voice with that name. Raises UnknownVoice."""
        found = next((file.model for file in self._files() if file.name == name), None)
        if found is None:
            raise UnknownVoice(voice=name)
        return found

    def _find(self, voice_id: str | None) -> tuple[VoiceFile, str]:
        """The file of a voice and the speaker in it, "" for its only one. Raises UnknownVoice."""
        for file in self._files():
            for speaker in file.speakers or ("",):
                if voice_id in (None, _voice_id(file, speaker)):
                    return file, speaker
        raise UnknownVoice(voice=voice_id or NAME)

    def _speak(
        self, request: SynthesisRequest, file: VoiceFile, speaker: str, cancelled: CancelCheck
    ) -> Iterator[EngineEvent]:
        with self._cache.begin(file.name) as lease:
            for done_bytes, total_bytes in lease.progress():
                yield Loading(file.label, done_bytes, total_bytes)
            sounds = _sentences(lease.model(), request, speaker)
            reason = yield from in_chunks(sounds, SAMPLE_RATE, max_seconds=request.max_seconds, cancelled=cancelled)
        yield Finished(reason, seed=None)


def _sentences(model: PiperModel, request: SynthesisRequest, speaker: str) -> Iterator[Samples]:
    """Yield the sound of one sentence after the other, each with the silence that belongs before it."""
    number = model.file.speakers.get(speaker)
    pause_s = 0.0
    for line in paragraphs(request.text):
        for sentence in split_sentences(line, max_chars=MAX_SENTENCE_CHARS):
            for sound in model.speak(without_inner_stops(sentence), speaker=number, speed=request.speed):
                yield np.zeros(round(pause_s / request.speed * SAMPLE_RATE), np.float32)
                yield resample(sound, model.file.sample_rate, SAMPLE_RATE)
                pause_s = SENTENCE_PAUSE_S
        pause_s = PARAGRAPH_PAUSE_S


def _voice_id(file: VoiceFile, speaker: str) -> str:
    return f"{NAME}/{file.name.lower()}" + (f"/{speaker}" if speaker else "")


def _labels(files: Sequence[VoiceFile]) -> dict[str, str]:
    """A name for people for each file: where two would share one, with the quality, else the file's own."""
    plain = Counter(file.label for file in files)
    longer = {file.name: f"{file.label} {file.quality}".strip() for file in files}
    shared = Counter(longer.values())
    return {
        file.name: file.label
        if plain[file.label] == 1
        else longer[file.name]
        if shared[longer[file.name]] == 1
        else file.name
        for file in files
    }


def _description(file: VoiceFile) -> str:
    return ", ".join(filter(None, ("Piper", file.language.name, file.quality)))
