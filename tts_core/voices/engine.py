"""Saved voices as an engine: whoever can choose a voice can choose these. Each speaks with the model it belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import ModelNotReady, UnknownLanguage, UnknownVoice
from tts_core.domain.events import EngineEvent
from tts_core.domain.languages import find_language
from tts_core.domain.text import find_name
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, SynthesisRequest, Voice
from tts_core.engines.qwen.engine import SAMPLE_RATE, preset, slots_of, speech_request, stream_leased
from tts_core.models.memory import ModelMemory
from tts_core.models.status import ModelStatuses
from tts_core.voices.prompts import VoicePrompts
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus
from tts_core.voices.store import VoiceStore

if TYPE_CHECKING:
    from tts_core.engines.qwen.speech_model import QwenModel, SpeechRequest

NAME = "library"


class LibraryEngine:
    """See `protocols.Engine`."""

    name = NAME
    sample_rate = SAMPLE_RATE

    def __init__(
        self, store: VoiceStore, prompts: VoicePrompts, models: ModelStatuses, cache: ModelMemory[QwenModel]
    ) -> None:
        self._store = store
        self._prompts = prompts
        self._models = models
        self._cache = cache

    def voices(self) -> tuple[Voice, ...]:
        """Those whose model is ready; favourites first."""
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
        return 1 if saved is None else slots_of(self._cache, saved.model_key)

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        saved = self._saved(request.voice or "")
        status = self._models.status(saved.model_key)
        if not status.valid:
            raise ModelNotReady(name=status.entry.display_name)
        wanted = saved.language if request.language == AUTO_LANGUAGE else request.language
        can = self._models.capabilities(saved.model_key)
        language = find_language(wanted, can.languages)
        if language is None:
            raise UnknownLanguage(language=wanted)

        def in_model_words(model: QwenModel) -> SpeechRequest:
            if saved.kind is VoiceKind.CUSTOM_ROLE:
                instruct = request.instruct.strip() or saved.instruct
                speaker = find_name(saved.speaker, can.speakers) or saved.speaker
                return speech_request(dataclasses.replace(request, instruct=instruct), language, preset(speaker))
            return speech_request(request, language, self._prompts.prompt(saved, model))

        return stream_leased(self._cache, saved.model_key, status.entry.display_name, in_model_words, cancelled)

    def close(self) -> None:
        """Nothing of its own to free: the cache holds the models."""

    def _saved(self, voice_id: str) -> SavedVoice:
        saved = self._store.find(voice_id.removeprefix(f"{NAME}/"))
        if saved is None or saved.is_deleted:
            raise UnknownVoice(voice=voice_id)
        return saved
