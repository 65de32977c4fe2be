"""Errors of settings that can't be used, and failures while the studio works."""

from __future__ import annotations

from tts_core.domain.errors.base import StudioError


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


class MeasurementFailed(StudioError):
    code = "measurement_failed"
    template = "{subject} can't be measured: {reason}"


class PeerMissing(MeasurementFailed):
    code = "peer_missing"
    template = (
        "{subject} can't be loaded by {python}: {reason}. Install it in an environment of its own and name that "
        "environment's Python with --peer-python."
    )


class PeerNeedsCuda(MeasurementFailed):
    code = "peer_needs_cuda"
    template = "{subject} computes on NVIDIA cards only, and its Python can't use one here for {device}."


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


class StreamTooLong(EngineFailed):
    code = "stream_too_long"
    template = "The sound is longer than can be streamed in one answer. Send the text in parts."


class TranscriptionFailed(EngineFailed):
    code = "transcription_failed"
    template = "The recording can't be transcribed: {reason}. Try again, or with another Whisper model."


class PiperMissing(EngineFailed):
    code = "piper_missing"
    template = "Piper voices need the package piper-tts, which is not installed here. Install it: {command}"


class PiperVoiceInvalid(EngineFailed):
    code = "piper_voice_invalid"
    template = "The Piper voice {file} can't be used: {reason}. Download it again, or take it out of the folder."


_ADVICE = "A published model can be downloaded again; make or copy your own again where it came from."


class ModelFolderInvalid(EngineFailed):
    code = "model_folder_invalid"
    template = "The model file {file} can't be used: {reason}. " + _ADVICE


class ModelFileMissing(ModelFolderInvalid):
    code = "model_file_missing"
    template = "The model file {file} is missing. " + _ADVICE


class ModelConfigInvalid(ModelFolderInvalid):
    code = "model_config_invalid"
    template = (
        "The model's settings in {file} can't be used: {reason}. Choose a folder with a Qwen3-TTS 12Hz model. "
        + _ADVICE
    )


class WeightsUnreadable(ModelFolderInvalid):
    code = "weights_unreadable"
    template = "The weights in {file} can't be read: {reason}. " + _ADVICE


class WeightsMismatch(ModelFolderInvalid):
    """`missing`, `unknown` and `misshapen` name tensors (shortened where they are many)."""

    code = "weights_mismatch"
    template = (
        "The weights in {file} don't belong to this model (missing: {missing}; left over: {unknown}; "
        "wrong shape: {misshapen}). The folder mixes files of different models. " + _ADVICE
    )


class OutputFailed(StudioError):
    code = "output_failed"
    template = "The audio can't be written to {folder}: {reason}. Free some space or choose another data folder."


class PreferencesUnwritable(StudioError):
    code = "preferences_unwritable"
    template = "The choice can't be saved in {file}: {reason}. Check the folder's permissions and free space."
