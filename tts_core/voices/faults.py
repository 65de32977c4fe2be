"""Errors of the voice library itself."""

from __future__ import annotations

from tts_core.domain.errors import Busy, InvalidRequest, StudioError


class LibraryBusy(Busy):
    code = "library_busy"
    template = "Another program is writing the voice library. Try again in a moment."


class LibraryUnwritable(StudioError):
    code = "library_unwritable"
    template = "The voice library in {folder} can't be read or written: {reason}. Nothing was changed."


class LibraryDamaged(StudioError):
    code = "library_damaged"
    template = "{file} is no voice library any more; it is kept. Its last good state is used: look for what is missing."


class TranscriptUnreadable(InvalidRequest):
    code = "transcript_unreadable"
    template = "The text {file} can't be used: {reason}. Save it as UTF-8 and import it again."


class VoiceArchiveInvalid(InvalidRequest):
    code = "voice_archive_invalid"
    template = "{file} can't be imported: {reason}. Choose a voice that was exported here, and nothing is changed."
