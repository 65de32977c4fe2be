"""The one exception tree. Every error has a stable code and says what happened and what to do next.

    StudioError
    ├── InvalidRequest          the caller can mend it (HTTP 422)
    │   ├── EmptyText · TextTooLong · InvalidValue · UnknownLanguage · UnsupportedFormat
    │   ├── InstructNotSupported · InstructRequired · SpeedNotSupported · CloneNotSupported · ReferenceRequired
    │   ├── AudioUnreadable · RecordingTooLong · CodesUnreadable · VoicePromptInvalid
    │   ├── TranscriptMissing · UnknownSpokenLanguage · AmbiguousVoice · PrecisionNotSupported · DeviceUnavailable
    │   ├── OutputExists · OutputUnwritable
    │   ├── UnknownProvider         (400)
    ├── NotFound                (404)
    │   ├── UnknownModelKey · UnknownVoice · UnknownTake · UnknownJob
    ├── Conflict                not in the state it is in (409)
    │   ├── ModelInUse · ModelInMemory · ModelBeingChanged · ModelNotLoaded · ModelNotReady
    │   ├── VoiceNotReady · JobNotRetryable · ConsentMissing · TranscriberMissing
    ├── Busy                    try again later (429)
    │   └── QueueFull · MemoryBudgetFull · TooManyStreams
    ├── Refused                 not allowed from there (400, 403, 405, 413, 426)
    │   ├── HostNotAllowed · OriginNotAllowed · MethodNotAllowed · BodyTooLarge · UpgradeRequired
    ├── InvalidSetting          an option or environment variable can't be used (start-up)
    │   └── InvalidEndpoint     a hub's address
    ├── CatalogueInvalid        a catalogue file can't be used (start-up)
    ├── StartFailed             the app did not serve its page (bench)
    ├── Cancelled               the caller asked to stop
    ├── OutputFailed            a take can't be written (507)
    ├── PreferencesUnwritable   a choice can't be kept (507)
    └── EngineFailed            an engine can't start or broke (503)
        ├── ModelNotLoadable · TranscriptionFailed
        └── ModelFolderInvalid  a file of the model's folder can't be used
            ├── ModelFileMissing · ModelConfigInvalid · WeightsUnreadable · WeightsMismatch

Codes and parameters are data: frontends translate by `code` and fill in `params`. Nobody matches message text.
"""

from __future__ import annotations

from typing import ClassVar


class StudioError(Exception):
    """Base of all errors that reach a user. Raise a subclass: `raise TextTooLong(length=9, limit=5)`."""

    code: ClassVar[str] = "internal_error"
    template: ClassVar[str] = "Something went wrong inside TTS Studio. The log has the details."

    def __init__(self, **params: object) -> None:
        self.params = params
        super().__init__(self.template.format(**params))

    @property
    def message(self) -> str:
        """English sentence: what happened and what to do."""
        return str(self)


class InvalidRequest(StudioError):
    code = "invalid_request"
    template = "The request can't be understood: {reason}"


class EmptyText(InvalidRequest):
    code = "empty_text"
    template = "There is no text to speak. Type at least one letter or digit."


class TextTooLong(InvalidRequest):
    code = "text_too_long"
    template = "The text has {length} characters; at most {limit} are spoken at once. Shorten it or split it in parts."


class InvalidValue(InvalidRequest):
    code = "invalid_value"
    template = "{name} must lie between {low} and {high}."


class UnknownLanguage(InvalidRequest):
    code = "unknown_language"
    template = "This voice does not speak {language!r}. Choose Auto or one of the voice's languages."


class UnsupportedFormat(InvalidRequest):
    code = "unsupported_format"
    template = "Audio can't be written as {format!r}. Choose one of: {choices}."


class InstructNotSupported(InvalidRequest):
    code = "instruct_not_supported"
    template = (
        "The voice {voice!r} does not follow style instructions. Leave the instruction empty or choose another voice."
    )


class InstructRequired(InvalidRequest):
    code = "instruct_required"
    template = "The voice {voice!r} is made from a description. Say in the instruction how it should sound."


class SpeedNotSupported(InvalidRequest):
    code = "speed_not_supported"
    template = "The voice {voice!r} speaks at its own speed. Leave the speed at 1 or choose another voice."


class CloneNotSupported(InvalidRequest):
    code = "clone_not_supported"
    template = "The voice {voice!r} can't imitate a recording. Choose a Base model."


class ReferenceRequired(InvalidRequest):
    code = "reference_required"
    template = "The voice {voice!r} imitates a recording. Give one, with its transcript for the closest likeness."


class TranscriptMissing(InvalidRequest):
    code = "transcript_missing"
    template = "What is said in the recording is not known. Type it, have it transcribed, or take over the timbre only."


class UnknownSpokenLanguage(InvalidRequest):
    code = "unknown_spoken_language"
    template = "{model} does not understand the language {language!r}. Choose Auto to let it find out the language."


class AmbiguousVoice(InvalidRequest):
    code = "ambiguous_voice"
    template = "Several voices are called {voice!r}. Name one by its id: {choices}."


class AudioUnreadable(InvalidRequest):
    code = "audio_unreadable"
    template = "The recording {path} can't be read: {reason}. Choose a WAV, FLAC, MP3, OGG, M4A or WebM file."


class RecordingTooLong(InvalidRequest):
    code = "recording_too_long"
    template = "The recording is longer than {limit_s} seconds. Cut it to the part that is needed."


class CodesUnreadable(InvalidRequest):
    code = "codes_unreadable"
    template = "The codes in {path} can't be used: {reason}. Choose a file that `codec encode` or --codes wrote."


class VoicePromptInvalid(InvalidRequest):
    code = "voice_prompt_invalid"
    template = "The prepared voice {path} can't be used: {reason}. Prepare the voice again."


class PrecisionNotSupported(InvalidRequest):
    code = "precision_not_supported"
    template = "Models can't compute in {precision} here. Choose one of: {choices}."


class DeviceUnavailable(InvalidRequest):
    code = "device_unavailable"
    template = "The device {device!r} can't be used: {reason}. Choose auto or cpu."


class OutputExists(InvalidRequest):
    code = "out_exists"
    template = "{path} exists and is not replaced. Choose another name or add --force."


class OutputUnwritable(InvalidRequest):
    code = "out_unwritable"
    template = "{path} can't be written: {reason}"


class UnknownProvider(InvalidRequest):
    """The code is older than the mirror: clients know it."""

    code = "provider_must_be_hf_or_modelscope"
    template = "Models don't come from {provider!r}. Choose one of: {choices}."


class NotFound(StudioError):
    code = "not_found"
    template = "There is nothing at this address."


class UnknownModelKey(NotFound):
    code = "unknown_model_key"
    template = "There is no model {key!r}. Known models: {known}."


class UnknownVoice(NotFound):
    code = "voice_not_found"
    template = "There is no voice {voice!r}. List the voices to see what can speak."


class UnknownTake(NotFound):
    code = "audio_not_found"
    template = "This audio is no longer kept. Generate it again."


class UnknownJob(NotFound):
    code = "job_not_found"
    template = "There is no job {job!r}. It may have ended long ago."


class Conflict(StudioError):
    code = "conflict"
    template = "That does not fit the state things are in. Look again and retry."


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


class Busy(StudioError):
    code = "busy"
    template = "The studio is busy. Try again in a moment."


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


class Refused(StudioError):
    code = "refused"
    template = "This request is not allowed."


class HostNotAllowed(Refused):
    code = "host_not_allowed"
    template = (
        "This address is not served here. Open the address that was printed at start, or allow it with --allow-host."
    )


class OriginNotAllowed(Refused):
    code = "origin_not_allowed"
    template = "Another web site may not change anything here. Use the studio's own page."


class MethodNotAllowed(Refused):
    code = "method_not_allowed"
    template = "This address does not answer {method} requests. /docs lists what it answers."


class BodyTooLarge(Refused):
    code = "body_too_large"
    template = "The upload is larger than the {limit_bytes} bytes that are accepted."


class UpgradeRequired(Refused):
    code = "upgrade_required"
    template = "This address speaks WebSocket. Connect with a WebSocket client."


class InvalidSetting(StudioError):
    code = "invalid_setting"
    template = "{name}={value!r} can't be used: expected {expected}."


class InvalidEndpoint(InvalidSetting):
    code = "invalid_endpoint"
    template = "{name}={value!r} can't be used: expected an https:// address without user name or query."


class CatalogueInvalid(StudioError):
    code = "catalogue_invalid"
    template = "The model catalogue {source} can't be used: {reason}"


class StartFailed(StudioError):
    code = "start_failed"
    template = "The app did not serve its page: {reason}"


class Cancelled(StudioError):
    code = "cancelled"
    template = "Stopped."


class EngineFailed(StudioError):
    code = "engine_failed"
    template = "The {engine} engine can't speak: {reason}"


class ModelNotLoadable(EngineFailed):
    code = "model_not_loadable"
    template = (
        "No engine here speaks with the model {key!r} yet. Leave model_key empty to speak with the best voice there is."
    )


class TranscriptionFailed(EngineFailed):
    code = "transcription_failed"
    template = "The recording can't be transcribed: {reason}. Try again, or with another Whisper model."


class ModelFolderInvalid(EngineFailed):
    code = "model_folder_invalid"
    template = "The model file {file} can't be used: {reason}. Download the model again."


class ModelFileMissing(ModelFolderInvalid):
    code = "model_file_missing"
    template = "The model file {file} is missing. Download the model again or choose the folder that holds it."


class ModelConfigInvalid(ModelFolderInvalid):
    code = "model_config_invalid"
    template = (
        "The model's settings in {file} can't be used: {reason}. "
        "Choose a folder with a Qwen3-TTS 12Hz model, or download the model again."
    )


class WeightsUnreadable(ModelFolderInvalid):
    code = "weights_unreadable"
    template = "The weights in {file} can't be read: {reason}. Download the model again."


class WeightsMismatch(ModelFolderInvalid):
    """`missing`, `unknown` and `misshapen` name tensors (shortened where they are many)."""

    code = "weights_mismatch"
    template = (
        "The weights in {file} don't belong to this model (missing: {missing}; left over: {unknown}; "
        "wrong shape: {misshapen}). The folder mixes files of different models: download the model again."
    )


class OutputFailed(StudioError):
    code = "output_failed"
    template = "The audio can't be written to {folder}: {reason}. Free some space or choose another data folder."


class PreferencesUnwritable(StudioError):
    code = "preferences_unwritable"
    template = "The choice can't be saved in {file}: {reason}. Check the folder's permissions and free space."
