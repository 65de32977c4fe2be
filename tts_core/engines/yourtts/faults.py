"""Errors of YourTTS: its environment, its model, and the interface that its clients use."""

from __future__ import annotations

from tts_core.domain.errors import EngineFailed, InvalidRequest, ModelNotReady, StudioError


class InstallFailed(StudioError):
    code = "install_failed"
    template = "YourTTS's environment can't be made: {reason}. Run the command again to go on."


class PythonUnsuitable(InstallFailed):
    code = "python_unsuitable"
    template = (
        "{python} can't make an environment for YourTTS: {reason}. Install Python 3.10 to 3.13 with its venv module "
        "(on Debian and Ubuntu: apt install python3-venv), or name another one with --python."
    )


class PackagesUnreachable(InstallFailed):
    code = "packages_unreachable"
    template = (
        "No package can be fetched: {reason}. Check the network or the proxy; PIP_INDEX_URL names a mirror. "
        "Run the command again to go on: what was fetched is kept."
    )


class PackagesFailed(InstallFailed):
    code = "packages_failed"
    template = (
        "pip stopped while it installed {packages}: {reason}. Run the command again to go on: what was fetched is kept."
    )


class InstallDiskLow(InstallFailed):
    code = "install_disk_low"
    template = (
        "YourTTS's environment needs {needed_gb} GB in {folder}, {free_gb} GB are free. "
        "Make room, or name another --data-dir."
    )


class InstallRunning(InstallFailed):
    code = "install_running"
    template = "Another program is making YourTTS's environment in {folder} just now. Wait for its end."


class ModelArchiveInvalid(InstallFailed):
    code = "model_archive_invalid"
    template = "What {source} sent is not YourTTS's model: {reason}. It was removed; run the command again."


class YourTtsMissing(ModelNotReady):
    code = "yourtts_missing"
    template = (
        "YourTTS is not installed on this machine. Install it (python -m tts_core install-yourtts), then try again."
    )


class LanguageNotServed(InvalidRequest):
    """Answered with status 400, as the clients of this interface expect."""

    code = "language_not_supported"
    template = (
        "This service speaks {known}, not {language}. For {language} ask POST /api/tts/qwen3/synthesize, whose "
        "Qwen3-TTS models and built-in voice speak more languages."
    )


class SpeakerVectorMisfit(InvalidRequest):
    code = "speaker_vector_misfit"
    template = "voice_embedding has {length} numbers, but {engine} needs {wanted}. Send reference_audio instead."


class SpeakerServiceUnavailable(EngineFailed):
    code = "speaker_service_unavailable"
    template = (
        "Nothing here can imitate a voice yet. Install YourTTS (python -m tts_core install-yourtts), or download a "
        "Qwen3-TTS Base model (python -m tts_core download base_0_6b)."
    )
