"""Who triggered an event of the page."""

from __future__ import annotations

import gradio as gr

from tts_core.access.visitor import OWNER, Visitor, visitor_in


def visitor_of(request: gr.Request | None) -> Visitor:
    """As the entrance has found; without an entrance there is only the owner."""
    asked = request.request if request is not None else None
    return OWNER if asked is None else visitor_in(asked.scope)
