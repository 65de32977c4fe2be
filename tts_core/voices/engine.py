"""Saved voices as an engine: they can be chosen wherever a voice can be chosen. Each speaks with the model it belongs
to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from tts_core.domain.engine import CancelCheck, Engine
from tts_core.domain.errors import CloneNotSupported, ModelNotReady, UnknownLanguage, UnknownVoice
from tts_core.domain.events import EngineEvent
from tts_core.domain.languages import find_language
from tts_core.domain.text import plain_name
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, SynthesisRequest, Voice
from tts_core.models.status import ModelStatuses
from tts_core.voices.prompts import VoicePrompts
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus
from tts_core.voices.store import VoiceStore

NAME = "library"


class LibraryEngine:
    """The engine of saved voices; see `domain.engine.Engine`."""

    name = NAME
    sample_rate = 24_000
    """The sample rate of the Qwen3-TTS models in hertz."""

    def __init__(
        self, store: VoiceStore, prompts: VoicePrompts, models: ModelStatuses, engines: Mapping[str, Engine]
    ) -> None:
        """`engines` are those that speak saved voices, by the keys of their models."""
        self._store = store
        self._prompts = prompts
        self._models = models
        self._engines = engines

    def voices(self) -> tuple[Voice, ...]:
        """The saved voices whose model is ready; favourites first."""
        saved = [voice for voice in self._store.voices() if voice.status is VoiceStatus.READY and not voice.is_deleted]
        known = set(self._models.keys())
        ready = {key for key in {voice.model_key for voice in saved} & known if self._models.status(key).valid}
        saved.sort(key=lambda voice: not voice.is_favourite)
        return tuple(
            Voice(f"{NAME}/{voice.id}", voice.name, NAME, self._models.entry(voice.model_key).display_name)
            for voice in saved
            if voice.model_key in ready
        )

    def capabilities(self, voice: str | None = None) -> Capabilities:
        if voice is None:
            return Capabilities(languages=())
        saved = self._saved(voice)
        can = self._models.capabilities(saved.model_key)
        obeys = can.supports_instruct and saved.kind is VoiceKind.CUSTOM_ROLE
        return dataclasses.replace(can, supports_instruct=obeys, can_clone=False, can_design=False)

    def at_once(self, voice: str) -> int:
        saved = self._store.find(voice.removeprefix(f"{NAME}/"))
        engine = None if saved is None else self._engines.get(saved.model_key)
        return 1 if engine is None else engine.at_once(voice)

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        saved = self._saved(request.voice or "")
        status = self._models.status(saved.model_key)
        if not status.valid:
            raise ModelNotReady(name=status.entry.display_name)
        wanted = saved.language if request.language == AUTO_LANGUAGE else request.language
        language = find_language(wanted, self._models.capabilities(saved.model_key).languages)
        if language is None:
            raise UnknownLanguage(language=wanted)
        engine = self._engines.get(saved.model_key)
        if engine is None:
            raise CloneNotSupported(voice=saved.model_key)
        request = dataclasses.replace(request, voice=_voice_of(engine, saved), language=language.code)
        if saved.kind is VoiceKind.CUSTOM_ROLE:
            instruct = request.instruct.strip() or saved.instruct
            return engine.stream(dataclasses.replace(request, instruct=instruct), cancelled=cancelled)
        return self._imitated(engine, saved, request, cancelled)

    def close(self) -> None:
        """Do nothing: the other engines hold the models."""

    def _imitated(
        self, engine: Engine, saved: SavedVoice, request: SynthesisRequest, cancelled: CancelCheck
    ) -> Iterator[EngineEvent]:
        source = self._prompts.kept(saved)
        if source is None:
            source = yield from self._prompts.prepare(saved, cancelled=cancelled)
        yield from engine.stream(dataclasses.replace(request, source=source), cancelled=cancelled)

    def _saved(self, voice_id: str) -> SavedVoice:
        saved = self._store.find(voice_id.removeprefix(f"{NAME}/"))
        if saved is None or saved.is_deleted:
            raise UnknownVoice(voice=voice_id)
        return saved


def _voice_of(engine: Engine, saved: SavedVoice) -> str:
    """The id of the engine's voice that speaks as the saved one: a role's preset speaker, else the one that clones."""
    for voice in engine.voices():
        if saved.kind is VoiceKind.CUSTOM_ROLE:
            if plain_name(voice.name) == plain_name(saved.speaker):
                return voice.id
        elif engine.capabilities(voice.id).can_clone:
            return voice.id
    raise UnknownVoice(voice=saved.speaker or saved.name)
