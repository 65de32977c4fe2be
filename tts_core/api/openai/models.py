"""The models below /v1, for OpenAI's clients and for others that ask which there are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tts_core.api.context import UseServices
from tts_core.api.openai.errors import FAILURES, PREFIX
from tts_core.api.openai.names import listening_model, openai_names, speech_models
from tts_core.domain.errors import UnknownModelKey
from tts_core.platform.paths import OPENAI_NAMES
from tts_core.services import Services

router = APIRouter(prefix=PREFIX, tags=["openai"], responses=FAILURES)

OURS, THEIRS = "tts-studio", "openai"


class OpenAIModel(BaseModel):
    id: str = Field(examples=["custom_0_6b", "tts-1"])
    object: Literal["model"] = "model"
    created: int = Field(description="When it came here, in seconds since 1970.")
    owned_by: str = Field(description="`openai` for one of OpenAI's names that stands for a model of ours.")


class OpenAIModels(BaseModel):
    object: Literal["list"] = "list"
    data: list[OpenAIModel]


class NamedModel(BaseModel):
    id: str
    name: str


class NamedModels(BaseModel):
    models: list[NamedModel]


@router.get("/models")
def list_models(services: UseServices) -> OpenAIModels:
    """The models that can speak or listen now, and OpenAI's names for the best of them."""
    return OpenAIModels(data=_models(services))


@router.get("/models/{model_id:path}")
def read_model(model_id: str, services: UseServices) -> OpenAIModel:
    """Read one of the models that can speak or listen now, by any of its names."""
    found = {model.id: model for model in _models(services)}
    key = model_id if model_id in found else _meant(services, model_id)
    if key not in found:
        raise UnknownModelKey(key=model_id, known=", ".join(found))
    return found[key].model_copy(update={"id": model_id})


@router.get("/audio/models")
def list_speech_models(services: UseServices) -> NamedModels:
    """The models that can speak now, as Open WebUI asks for them."""
    keys = [*openai_names().speech_models, *_speaking(services)]
    return NamedModels(models=[NamedModel(id=key, name=key) for key in keys])


def _meant(services: Services, name: str) -> str:
    """The id in the list of the model that is also called so. Raises what `speech_models` raises."""
    names = openai_names()
    if names.listens(name):
        return names.transcription_models[0]
    listening = listening_model(services, name)
    if listening != name:
        return listening
    return next(iter(speech_models(services, name)), names.speech_models[0])


def _speaking(services: Services) -> list[str]:
    """The keys of the models that can speak now, best first."""
    return list(dict.fromkeys(services.finder.model_of(voice) for voice in services.synthesis.voices()))


def _models(services: Services) -> list[OpenAIModel]:
    names = openai_names()
    listening = [status.key for status in services.transcriber.ready()]
    known = services.models.keys()
    aliases = [*names.speech_models, *(names.transcription_models if listening else ())]
    here = _changed(OPENAI_NAMES)
    return [
        *(OpenAIModel(id=name, created=here, owned_by=THEIRS) for name in aliases),
        *(
            OpenAIModel(id=key, created=_changed(services.models.folder(key)) if key in known else here, owned_by=OURS)
            for key in [*_speaking(services), *listening]
        ),
    ]


def _changed(path: Path) -> int:
    try:
        return int(path.stat().st_mtime)
    except OSError:  # deleted meanwhile
        return 0
