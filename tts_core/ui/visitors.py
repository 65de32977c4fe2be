"""Who triggered an event of the page."""

from __future__ import annotations

import gradio as gr

from tts_core.access.visitor import IN_STATE, OWNER, Visitor


def visitor_of(request: gr.Request | None) -> Visitor:
    """As the entrance has found; without an entrance there is only the owner."""
    asked = request.request if request is not None else None
    visitor = asked.scope.get("state", {}).get(IN_STATE) if asked is not None else None
    return visitor if isinstance(visitor, Visitor) else OWNER
