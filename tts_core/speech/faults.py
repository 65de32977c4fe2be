"""Errors of a request to speak, and of the sound that is kept for it."""

from __future__ import annotations

from tts_core.domain.errors import Busy, Conflict, InvalidRequest, NotFound, StudioError


class EmptyText(InvalidRequest):
    code = "empty_text"
    template = "There is no text to speak. Type at least one letter or digit."


class TextTooLong(InvalidRequest):
    code = "text_too_long"
    template = "The text has {length} characters; at most {limit} are spoken at once. Shorten it or split it in parts."


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


class UnknownTake(NotFound):
    code = "audio_not_found"
    template = "This audio is no longer kept. Generate it again."


class LexiconOutdated(Conflict):
    code = "lexicon_outdated"
    template = "The lexicon was changed meanwhile; it is at revision {revision}. Load it again, then make your change."


class LexiconBusy(Busy):
    code = "lexicon_busy"
    template = "Another program is writing the lexicon. Try again in a moment."


class LexiconUnwritable(StudioError):
    code = "lexicon_unwritable"
    template = "The lexicon {file} can't be written: {reason}. Nothing was changed."
