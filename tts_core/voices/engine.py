"""Saved voices as an engine: they can be chosen wherever a voice can be chosen. Each speaks with the model it belongs
to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import suppress

from tts_core.domain.engine import CancelCheck, Engine, pool_of
from tts_core.domain.errors import CloneNotSupported, UnknownLanguage, UnknownModelKey, UnknownVoice
from tts_core.domain.events import EngineEvent
from tts_core.domain.languages import find_language
from tts_core.domain.text import plain_name
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, SynthesisRequest, Voice
from tts_core.voices.models import VoiceModels
from tts_core.voices.prompts import VoicePrompts
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus
from tts_core.voices.store import VoiceStore

NAME = "library"


class LibraryEngine:
    """The engine of saved voices; see `domain.engine.Engine`."""

    name = NAME

    def __init__(self, store: VoiceStore, prompts: VoicePrompts, models: VoiceModels) -> None:
        self._store = store
        self._prompts = prompts
        self._models = models

    def voices(self) -> tuple[Voice, ...]:
        """The saved voices whose model is ready; favourites first."""
        saved = [voice for voice in self._store.voices() if voice.status is VoiceStatus.READY and not voice.is_deleted]
        ready = self._names_of_ready({voice.model_key for voice in saved})
        saved.sort(key=lambda voice: not voice.is_favourite)
        return tuple(
            Voice(f"{NAME}/{voice.id}", voice.name, NAME, ready[voice.model_key])
            for voice in saved
            if voice.model_key in ready
        )

    def capabilities(self, voice: str | None = None) -> Capabilities:
        if voice is None:
            return Capabilities(languages=())
        saved = self._saved(voice)
        can = self._models.model(saved.model_key).capabilities()
        obeys = can.supports_instruct and saved.kind is VoiceKind.CUSTOM_ROLE
        return dataclasses.replace(can, supports_instruct=obeys, can_clone=False, can_design=False)

    def sample_rate(self, voice: str) -> int:
        return self._engine_of(self._saved(voice)).sample_rate(voice)

    def at_once(self, voice: str) -> int:
        try:
            return self._engine_of(self._saved(voice)).at_once(voice)
        except (UnknownVoice, UnknownModelKey, CloneNotSupported):  # the request fails when its turn comes
            return 1

    def pool(self, voice: str) -> str:
        try:
            return pool_of(self._engine_of(self._saved(voice)), voice)
        except (UnknownVoice, UnknownModelKey, CloneNotSupported):  # the request fails when its turn comes
            return NAME

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        saved = self._saved(request.voice or "")
        model = self._models.ready(saved.model_key)
        wanted = saved.language if request.language == AUTO_LANGUAGE else request.language
        language = find_language(wanted, model.capabilities().languages)
        if language is None:
            raise UnknownLanguage(language=wanted)
        engine = self._engine_of(saved)
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

    def _names_of_ready(self, keys: Iterable[str]) -> dict[str, str]:
        """The names of those models that are ready, by their keys; keys of another catalogue are passed over."""
        found = {}
        for key in keys:
            with suppress(UnknownModelKey):
                model = self._models.model(key)
                if model.problem() is None:
                    found[key] = model.name
        return found

    def _engine_of(self, saved: SavedVoice) -> Engine:
        """The engine of the voice's model. Raises UnknownModelKey, CloneNotSupported."""
        engine = self._models.model(saved.model_key).engine
        if engine is None:
            raise CloneNotSupported(voice=saved.model_key)
        return engine

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
