"""Names of models and voices as OpenAI's clients and those of other speech servers write them, and ours that are meant.

The table is data: `names.json`. Besides its names a model is known by its key, by its repository, and by its folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from tts_core.domain.errors import InvalidRequest, ModelNotReady, UnknownModelKey, UnknownVoice
from tts_core.domain.text import plain_name
from tts_core.domain.values import Voice
from tts_core.models.catalogue import ModelEntry, ModelKind
from tts_core.platform.paths import OPENAI_NAMES
from tts_core.services import Services
from tts_core.voices.engine import NAME as LIBRARY

FAMILY = "qwen3-tts"
"""The name that stands for all Qwen3-TTS models."""
_ANY_VOICE = "default"
_OPENAI = "openai/"
"""The publisher that gateways put before OpenAI's names."""
_TASKS = {
    "customvoice": ModelKind.CUSTOM_VOICE,
    "voicedesign": ModelKind.VOICE_DESIGN,
    "base": ModelKind.BASE,
}
"""The kinds of models by the names of their tasks in other Qwen3-TTS servers."""


@dataclass(frozen=True, slots=True)
class OpenAINames:
    speech_models: tuple[str, ...]
    """OpenAI's names of models that speak; each means the best model for the voice."""
    speech_prefixes: tuple[str, ...]
    """The beginnings of these names, which their dated editions share."""
    transcription_models: tuple[str, ...]
    """OpenAI's names of models that listen; each means the best Whisper model that is ready."""
    transcription_prefixes: tuple[str, ...]
    voices: dict[str, frozenset[str]]
    """OpenAI's names of voices, each with the plain names of ours that stand in; each engine has one of them at
    most."""

    def speaks(self, model: str) -> bool:
        """Whether that is OpenAI's name of a model that speaks."""
        return model.lower().removeprefix(_OPENAI).startswith(self.speech_prefixes)

    def listens(self, model: str) -> bool:
        """Whether that is OpenAI's name of a model that listens."""
        return model.lower().removeprefix(_OPENAI).startswith(self.transcription_prefixes)

    def is_voice(self, name: str) -> bool:
        """Whether the name leaves the choice to us: OpenAI's name of a voice, or none in particular."""
        return not name or plain_name(name) in {_ANY_VOICE, *self.voices}

    def aliases(self, voice: Voice) -> list[str]:
        """OpenAI's names for one of our voices."""
        return [name for name, ours in self.voices.items() if plain_name(voice.name) in ours]


@cache
def openai_names() -> OpenAINames:
    data = json.loads(OPENAI_NAMES.read_text(encoding="utf-8"))
    return OpenAINames(
        speech_models=tuple(data["speech_models"]),
        speech_prefixes=tuple(data["speech_prefixes"]),
        transcription_models=tuple(data["transcription_models"]),
        transcription_prefixes=tuple(data["transcription_prefixes"]),
        voices={name: frozenset(map(plain_name, ours)) for name, ours in data["voices"].items()},
    )


def task_kind(task: str) -> ModelKind:
    """The kind of model that does a task: CustomVoice, VoiceDesign or Base. Raises InvalidRequest."""
    kind = _TASKS.get(task.replace("_", "").lower())
    if kind is None:
        raise InvalidRequest(reason="task_type is CustomVoice, VoiceDesign or Base.", field="task_type")
    return kind


def speech_models(services: Services, wanted: str, kind: ModelKind | None = None) -> tuple[str, ...]:
    """The keys of the models that `wanted` names and that are ready, best first; none leave it to the voice.

    `kind` leaves only models of that kind. Raises UnknownModelKey, ModelNotReady, InvalidRequest for one that can't
    speak, or is of another kind.
    """
    if any(voice.engine == wanted for voice in services.synthesis.voices()):
        named, ready = [wanted], [wanted]
    elif not wanted or openai_names().speaks(wanted):
        if kind is None:
            return ()
        ready = named = _of_family(services, "")
    else:
        ready = named = _named(services, wanted)
    if kind is not None:
        of_kind = {entry.key for entry in _entries(services) if entry.kind is kind}
        ready = [key for key in named if key in of_kind]
        if not ready:
            raise InvalidRequest(reason=f"the model {wanted!r} can't do what is asked for here.", field="model")
    speaking = {voice.engine: None for voice in services.synthesis.voices()}
    found = tuple(key for key in speaking if key in ready)
    if not found:
        raise ModelNotReady(name=services.models.display_name(ready[0]))
    return found


def speaking_voice(services: Services, models: tuple[str, ...], wanted: str) -> str | None:
    """The id of the voice that `wanted` means: an id, a name, else one of OpenAI's names; None for the best voice.

    `models` are those that may speak it, any for none. A voice of ours that has one of OpenAI's names is the one that
    is meant. Raises what `VoiceFinder.find` raises.
    """
    name = "" if plain_name(wanted) == _ANY_VOICE else wanted
    missing: UnknownVoice | None = None
    for key in models or (None,):
        try:
            return services.finder.find(name=wanted, model=key)
        except UnknownVoice as error:
            missing = missing or error
    if not name:
        return services.finder.find(model=models[0] if models else None)
    ours = openai_names().voices.get(plain_name(wanted))
    if ours is None and missing is not None:
        raise missing
    return _stand_in([voice for voice in services.synthesis.voices() if not models or voice.engine in models], ours)


def listening_model(services: Services, wanted: str) -> str:
    """The key of the Whisper model that `wanted` names, known or not; "" for the best one."""
    if openai_names().listens(wanted):
        return ""
    found = [entry.key for entry in _entries(services) if wanted.lower() in _own_names(entry)]
    return found[0] if found else wanted


def _named(services: Services, wanted: str) -> list[str]:
    """The keys of the models of that key, repository, folder, or beginning of a folder's name."""
    exact = [entry for entry in _entries(services) if wanted.lower() in _own_names(entry)]
    if exact and not exact[0].kind.speaks:
        raise InvalidRequest(reason=f"the model {wanted!r} does not speak.", field="model")
    found = [entry.key for entry in exact] or _of_family(services, wanted.lower().rpartition("/")[2])
    if not found:
        raise UnknownModelKey(key=wanted, known=", ".join(entry.key for entry in _entries(services)))
    return found


def _of_family(services: Services, beginning: str) -> list[str]:
    """The keys of the Qwen3-TTS models whose folder's name begins so; none where that says too little."""
    if beginning and not beginning.startswith(FAMILY):
        return []
    return [
        entry.key
        for entry in _entries(services)
        if entry.kind.speaks and entry.local.lower().startswith(beginning or FAMILY)
    ]


def _entries(services: Services) -> list[ModelEntry]:
    return list(map(services.models.entry, services.models.keys()))


def _own_names(entry: ModelEntry) -> set[str]:
    return {name.lower() for name in (entry.key, entry.hf, entry.modelscope, entry.local) if name}


def _stand_in(voices: list[Voice], names: frozenset[str] | None) -> str | None:
    """The voice of the best engine that has a stand-in. A model without preset speakers has a single voice, which
    stands in whatever it is called."""
    presets = [voice for voice in voices if voice.engine != LIBRARY]
    found = (voice.id for voice in presets if plain_name(voice.name) in (names or ()))
    return next(found, presets[0].id if presets else None)
