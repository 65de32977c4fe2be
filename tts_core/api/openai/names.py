"""OpenAI's names of models and voices, and ours that stand in for them. The table is data: `names.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from tts_core.domain.errors import InvalidRequest, ModelNotReady, UnknownVoice
from tts_core.domain.text import plain_name
from tts_core.domain.values import Voice
from tts_core.platform.paths import OPENAI_NAMES
from tts_core.services import Services
from tts_core.voices.engine import NAME as LIBRARY


@dataclass(frozen=True, slots=True)
class OpenAINames:
    speech_models: tuple[str, ...]
    """OpenAI's names of models that speak; each means the best model for the voice."""
    transcription_models: tuple[str, ...]
    """OpenAI's names of models that listen; each means the best Whisper model that is ready."""
    voices: dict[str, frozenset[str]]
    """OpenAI's names of voices, each with the plain names of ours that stand in; each engine has one of them at
    most."""

    def aliases(self, voice: Voice) -> list[str]:
        """OpenAI's names for one of our voices."""
        return [name for name, ours in self.voices.items() if plain_name(voice.name) in ours]


@cache
def openai_names() -> OpenAINames:
    data = json.loads(OPENAI_NAMES.read_text(encoding="utf-8"))
    return OpenAINames(
        speech_models=tuple(data["speech_models"]),
        transcription_models=tuple(data["transcription_models"]),
        voices={name: frozenset(map(plain_name, ours)) for name, ours in data["voices"].items()},
    )


def speech_model(services: Services, wanted: str) -> str | None:
    """The key of the model that `wanted` names; None leaves it to the voice.

    Raises UnknownModelKey, ModelNotReady, InvalidRequest for one that can't speak.
    """
    if not wanted or wanted in openai_names().speech_models:
        return None
    if any(voice.engine == wanted for voice in services.synthesis.voices()):
        return wanted
    entry = services.models.entry(wanted)
    if not entry.kind.speaks:
        raise InvalidRequest(reason=f"the model {wanted!r} does not speak.", field="model")
    if not services.models.status(wanted).valid:
        raise ModelNotReady(name=entry.display_name)
    return wanted


def listening_model(wanted: str) -> str:
    """The key of the Whisper model that `wanted` names, known or not; "" for the best one."""
    return "" if wanted in openai_names().transcription_models else wanted


def speaking_voice(services: Services, model: str, wanted: str) -> str | None:
    """The id of the voice that `wanted` means: an id, a name, else one of OpenAI's names; None for the best voice.

    A voice of ours that has one of OpenAI's names is the one that is meant. Raises what `speech_model` and
    `VoiceFinder.find` raise.
    """
    key = speech_model(services, model)
    try:
        return services.finder.find(name=wanted, model=key)
    except UnknownVoice:
        ours = openai_names().voices.get(plain_name(wanted))
        if ours is None:
            raise
    return _stand_in([voice for voice in services.synthesis.voices() if key in (None, voice.engine)], ours)


def _stand_in(voices: list[Voice], names: frozenset[str]) -> str | None:
    """The voice of the best engine that has a stand-in. A model without preset speakers has a single voice, which
    stands in whatever it is called."""
    presets = [voice for voice in voices if voice.engine != LIBRARY]
    return next((voice.id for voice in presets if plain_name(voice.name) in names), presets[0].id if presets else None)
