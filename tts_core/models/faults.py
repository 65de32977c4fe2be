"""Errors of the catalogue and of models in memory. `download_faults` and `store/faults` hold those of the disk."""

from __future__ import annotations

from tts_core.domain.errors import Busy, Conflict, EngineFailed, InvalidRequest, StudioError


class CatalogueInvalid(StudioError):
    code = "catalogue_invalid"
    template = "The model catalogue {source} can't be used: {reason}"


class UnknownProvider(InvalidRequest):
    """The code names two hubs only: it is older than the mirror, and clients know it."""

    code = "provider_must_be_hf_or_modelscope"
    template = "Models don't come from {provider!r}. Choose one of: {choices}."


class ModelInUse(Conflict):
    code = "model_in_use"
    template = "The model {key!r} is in use by {users} requests. Stop them or wait for their end, then unload it."


class ModelInMemory(ModelInUse):
    code = "model_in_memory"
    template = "The model {key!r} is in memory. Unload it, then try again."


class ModelBeingChanged(ModelInUse):
    code = "model_being_changed"
    template = "The files of the model {key!r} are being deleted or moved. Try again in a moment."


class ModelNotLoaded(Conflict):
    code = "model_not_loaded"
    template = "The model {key!r} is not in memory, so there is nothing to unload."


class MemoryBudgetFull(Busy):
    code = "memory_budget_full"
    template = (
        "There is no room for the model {key!r} while {in_use} are in use. "
        "Wait for their end, or allow more with TTS_STUDIO_MODEL_MEMORY."
    )


class PiperVoiceInvalid(EngineFailed):
    code = "piper_voice_invalid"
    template = "The Piper voice {file} can't be used: {reason}. Download it again, or take it out of the folder."
