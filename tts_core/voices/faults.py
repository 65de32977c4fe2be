"""Errors of the voice library, and of the choice of a voice."""

from __future__ import annotations

from tts_core.domain.errors import Busy, Conflict, EngineFailed, InvalidRequest, StudioError


class LibraryBusy(Busy):
    code = "library_busy"
    template = "Another program is writing the voice library. Try again in a moment."


class LibraryUnwritable(StudioError):
    code = "library_unwritable"
    template = "The voice library in {folder} can't be read or written: {reason}. Nothing was changed."


class LibraryDamaged(StudioError):
    code = "library_damaged"
    template = (
        "{file} is damaged and was kept aside. The last good version of the library is used: check what is missing."
    )


class TranscriptUnreadable(InvalidRequest):
    code = "transcript_unreadable"
    template = "The text {file} can't be used: {reason}. Save it as UTF-8 and import it again."


class VoiceArchiveInvalid(InvalidRequest):
    code = "voice_archive_invalid"
    template = "{file} can't be imported: {reason}. Choose a voice that was exported here, and nothing is changed."


class AmbiguousVoice(InvalidRequest):
    code = "ambiguous_voice"
    template = "Several voices are called {voice!r}. Name one by its id: {choices}."


class ModelNotLoadable(EngineFailed):
    code = "model_not_loadable"
    template = (
        "No engine here speaks with the model {key!r} yet. Leave model_key empty to speak with the best voice there is."
    )


class VoiceNotReady(Conflict):
    code = "voice_not_ready"
    template = "The voice {voice!r} is not prepared yet. Prepare it, then try again."


class ConsentMissing(Conflict):
    code = "consent_missing"
    template = "Confirm first that you may use this voice: it is your own, or you have the speaker's permission."


class TranscriptMissing(InvalidRequest):
    code = "transcript_missing"
    template = "The transcript of the recording is missing. Type it, transcribe the recording, or copy only the sound."
