"""Errors of state: a thing does not exist, is not in the state that is needed, or must be tried again later."""

from __future__ import annotations

from tts_core.domain.errors.base import Busy, Conflict, NotFound


class UnknownModelKey(NotFound):
    code = "unknown_model_key"
    template = "There is no model {key!r}. Known models: {known}."


class UnknownVoice(NotFound):
    code = "voice_not_found"
    template = "There is no voice {voice!r}. List the voices to see what can speak."


class MisnamedVoice(UnknownVoice):
    """A voice that is not there, and those whose names are the nearest to it (`nearest`)."""

    wording = "nearest"
    template = "There is no voice {voice!r}. The nearest are: {nearest}."


class UnknownTake(NotFound):
    code = "audio_not_found"
    template = "This audio is no longer kept. Generate it again."


class UnknownFile(NotFound):
    code = "file_not_found"
    template = "This file was not uploaded by you, or is no longer kept. Upload it again."


class UnknownJob(NotFound):
    code = "job_not_found"
    template = "There is no job {job!r}. It may have ended long ago."


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


class ModelNotReady(Conflict):
    code = "model_not_ready"
    template = "The model {name} is not on this machine yet. Download it in the Models tab, then try again."


class VoiceNotReady(Conflict):
    code = "voice_not_ready"
    template = "The voice {voice!r} is not prepared yet. Prepare it, then try again."


class JobNotRetryable(Conflict):
    code = "job_not_retryable"
    template = "The job {job!r} has a result, or can't be done again from here."


class ConsentMissing(Conflict):
    code = "consent_missing"
    template = "Confirm first that you may use this voice: it is yours, or its owner agreed."


class TranscriberMissing(Conflict):
    code = "transcriber_missing"
    template = "No model here can write down what is said. Download {name} ({megabytes} MB) in the Models tab first."


class EmbedderMissing(Conflict):
    code = "embedder_missing"
    template = "No model here can tell speakers apart. Download {name} ({megabytes} MB) in the Models tab first."


class QueueFull(Busy):
    code = "queue_full"
    template = "{waiting} requests are already waiting. Try again in a moment."


class MemoryBudgetFull(Busy):
    code = "memory_budget_full"
    template = (
        "There is no room for the model {key!r} while {in_use} are in use. "
        "Wait for their end, or allow more with TTS_STUDIO_MODEL_MEMORY."
    )


class TooManyStreams(Busy):
    code = "too_many_streams"
    template = "{limit} event streams are open already. Close one, or ask for the state instead."
