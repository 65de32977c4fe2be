"""Errors that several engines share, or that others meet without loading an engine."""

from __future__ import annotations

from tts_core.domain.errors import Conflict, EngineFailed, InvalidRequest


class DeviceUnavailable(InvalidRequest):
    code = "device_unavailable"
    template = "The device {device!r} can't be used: {reason}. Choose auto or cpu."


class PrecisionNotSupported(InvalidRequest):
    code = "precision_not_supported"
    template = "Models can't compute in {precision} here. Choose one of: {choices}."


class CodesUnreadable(InvalidRequest):
    code = "codes_unreadable"
    template = "The codes in {path} can't be used: {reason}. Choose a file that `codec encode` or --codes wrote."


class EmbedderMissing(Conflict):
    code = "embedder_missing"
    template = (
        "No model that tells speakers apart is here yet. Download {name} ({megabytes} MB) in the Models tab first."
    )


class TranscriberMissing(Conflict):
    code = "transcriber_missing"
    template = "No model for transcription is here yet. Download {name} ({megabytes} MB) in the Models tab first."


class UnknownSpokenLanguage(InvalidRequest):
    code = "unknown_spoken_language"
    template = "{model} does not know the language {language!r}. Choose Auto to let it detect the language."


class TranscriptionFailed(EngineFailed):
    code = "transcription_failed"
    template = "The recording can't be transcribed: {reason}. Try again, or with another Whisper model."


class NothingToConvert(Conflict):
    code = "nothing_to_convert"
    template = (
        "There is no folder in an older form here of which {name} could be made. "
        "Put it into the models folder, or download the model."
    )


class ConversionFailed(EngineFailed):
    code = "conversion_failed"
    template = "The model in {folder} can't be converted: {reason}. It is as it was. Download the model instead."


class PiperMissing(EngineFailed):
    code = "piper_missing"
    template = "Piper voices need the package piper-tts, which is not installed here. Install it: {command}"


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
