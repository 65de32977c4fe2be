"""Errors of the page."""

from __future__ import annotations

from tts_core.domain.errors import NotFound


class UnknownFile(NotFound):
    code = "file_not_found"
    template = "This file was not uploaded by you, or is no longer kept. Upload it again."
