"""Errors of settings, preferences and background jobs."""

from __future__ import annotations

from tts_core.domain.errors import Conflict, NotFound, StudioError


class InvalidSetting(StudioError):
    code = "invalid_setting"
    template = "{name}={value!r} can't be used: expected {expected}."


class InvalidEndpoint(InvalidSetting):
    code = "invalid_endpoint"
    template = "{name}={value!r} can't be used: expected an https:// address without user name or query."


class PreferencesUnwritable(StudioError):
    code = "preferences_unwritable"
    template = "The choice can't be saved in {file}: {reason}. Check the folder's permissions and free space."


class UnknownJob(NotFound):
    code = "job_not_found"
    template = "There is no job {job!r}. It may have ended long ago."


class JobNotRetryable(Conflict):
    code = "job_not_retryable"
    template = "The job {job!r} has a result, or can't be done again from here."
