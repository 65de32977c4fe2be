"""The root of the exception tree and its main branches, one for each kind of answer."""

from __future__ import annotations

from typing import ClassVar


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
    template = "That does not fit the state things are in. Look again and retry."


class Busy(StudioError):
    code = "busy"
    template = "The studio is busy. Try again in a moment."


class Refused(StudioError):
    code = "refused"
    template = "This request is not allowed."
