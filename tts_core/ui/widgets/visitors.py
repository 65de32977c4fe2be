"""The visitor who triggered an event of the page."""

from __future__ import annotations

import gradio as gr
from starlette.requests import Request

from tts_core.access.visitor import IN_STATE, OWNER, Visitor, visitor_in


def visitor_of(request: gr.Request | None) -> Visitor:
    """The visitor as authentication has found; without authentication there is only the owner."""
    asked = request.request if request is not None else None
    return OWNER if asked is None else visitor_in(asked.scope)


def owner_of(request: Request | None) -> str:
    """The name of the owner of files: one log-in or key. Raises KeyError without authentication: a page that was served
    without it gives no files away."""
    scope = request.scope if request is not None else {}
    visitor: Visitor = scope["state"][IN_STATE]
    is_nameless = not visitor.is_guest and not visitor.name
    # Without log-in everybody may do everything, and one browser may come from several addresses.
    return OWNER.counted_as if is_nameless else visitor.login or visitor.counted_as
