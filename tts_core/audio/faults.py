"""Errors of sound files."""

from __future__ import annotations

from tts_core.domain.errors import InvalidRequest, StudioError


class AudioUnreadable(InvalidRequest):
    code = "audio_unreadable"
    template = "The recording {path} can't be read: {reason}. Choose a WAV, FLAC, MP3, OGG, M4A or WebM file."


class RecordingWithoutSound(AudioUnreadable):
    code = "recording_without_sound"
    template = "{path} is a video without sound. Choose a recording, or a video with speech."


class RecordingSilent(InvalidRequest):
    code = "recording_silent"
    template = "No speech was detected in the recording. Check the microphone and record again."


class RecordingTooLong(InvalidRequest):
    code = "recording_too_long"
    template = "The recording is longer than {limit_s} seconds. Cut it to the part that is needed."


class UnsupportedFormat(InvalidRequest):
    code = "unsupported_format"
    template = "Audio can't be written as {format!r}. Choose one of: {choices}."


class OutputFailed(StudioError):
    code = "output_failed"
    template = "The audio can't be written to {folder}: {reason}. Free some space or choose another data folder."
