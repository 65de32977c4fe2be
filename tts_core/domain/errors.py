"""The one exception tree: its root, its main branches, and the errors that many rooms raise.

Every error has a stable code and says what happened and what to do next. An error that one room raises lies in that
room's `faults.py`.

    StudioError
    ├── InvalidRequest    the caller can mend it (HTTP 422)
    ├── NotFound          (404)
    ├── Conflict          not in the state that is needed (409)
    ├── Busy              try again later (429)
    ├── Refused           not allowed from there (403); LoginRequired (401) is one
    ├── EngineFailed      an engine can't start or broke (503)
    ├── DownloadFault     a source or the disk failed (502, 507)
    └── Cancelled, OutOfMemory, and what stops a start or a command

Codes and parameters are data: frontends translate by `code` and fill in `params`. Nobody matches message text.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

logger = logging.getLogger(__name__)


class StudioError(Exception):
    """The base of all errors that reach a user. Raise a subclass: `raise TextTooLong(length=9, limit=5)`."""

    code: ClassVar[str] = "internal_error"
    wording: ClassVar[str] = ""
    """The name of the text, where one code has several; "". Frontends find theirs by code and wording."""
    template: ClassVar[str] = "Something went wrong inside TTS Studio. The log has the details."

    def __init__(self, **params: object) -> None:
        self.params = params
        super().__init__(self.template.format(**params))

    @property
    def text_key(self) -> str:
        """The code with its wording, by which frontends find their own text."""
        return f"{self.code}.{self.wording}" if self.wording else self.code

    @property
    def message(self) -> str:
        """An English sentence: what happened and what to do."""
        return str(self)


class InvalidRequest(StudioError):
    code = "invalid_request"
    template = "The request can't be understood: {reason}"


class NotFound(StudioError):
    code = "not_found"
    template = "There is nothing at this address."


class Conflict(StudioError):
    code = "conflict"
    template = "This conflicts with the current state. Reload and try again."


class Busy(StudioError):
    code = "busy"
    template = "The studio is busy. Try again in a moment."


class Refused(StudioError):
    code = "refused"
    template = "This request is not allowed."


class Cancelled(StudioError):
    code = "cancelled"
    template = "Stopped."


class EngineFailed(StudioError):
    code = "engine_failed"
    template = "The {engine} engine can't speak: {reason}"


class InvalidValue(InvalidRequest):
    code = "invalid_value"
    template = "{name} must lie between {low} and {high}."


class InvalidChoice(InvalidRequest):
    code = "invalid_choice"
    template = "{name} can't be {value!r}. Choose one of: {choices}."


class UnknownLanguage(InvalidRequest):
    code = "unknown_language"
    template = "This voice does not speak {language!r}. Choose Auto or one of the voice's languages."


class CloneNotSupported(InvalidRequest):
    code = "clone_not_supported"
    template = "The voice {voice!r} can't clone a recording. Choose a Base model."


class ReferenceRequired(InvalidRequest):
    code = "reference_required"
    template = "The voice {voice!r} needs a recording to clone. With its transcript the clone comes closer."


class VoicePromptInvalid(InvalidRequest):
    code = "voice_prompt_invalid"
    template = "The prepared voice {path} can't be used: {reason}. Prepare the voice again."


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


class ModelNotReady(Conflict):
    code = "model_not_ready"
    template = (
        "The model {name} is not on this machine, or not complete. Download or repair it in the Models tab, "
        "then try again."
    )


class QueueFull(Busy):
    code = "queue_full"
    template = "{waiting} requests are already waiting. Try again in a moment."


class OutOfMemory(StudioError):
    code = "out_of_memory"
    template = (
        "There is not enough memory for this. Close other programs, take a smaller model or a shorter text, "
        "then try again."
    )


@contextmanager
def memory_errors_typed() -> Iterator[None]:
    """Raise OutOfMemory for a lack of memory inside the block."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        logger.exception("out of memory")
        raise OutOfMemory from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` reports a lack of memory: Python's, numpy's or a graphics card's.

    PyTorch raises a plain RuntimeError for the CPU's memory, which nothing but its words tells apart: it is not
    recognised.
    """
    torch = sys.modules.get("torch")  # importing torch takes seconds; where it is not loaded, it has raised nothing
    return isinstance(error, MemoryError if torch is None else (MemoryError, torch.OutOfMemoryError))
