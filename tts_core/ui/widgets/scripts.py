"""Scripts that run beside one of our HTML widgets, with Gradio's `element`, `trigger` and `watch`."""

from __future__ import annotations

from tts_core.platform.paths import ASSETS_DIR

ACTIONS, QUESTION, TAKES = (
    (ASSETS_DIR / "scripts" / name).read_text(encoding="utf-8") for name in ("actions.js", "confirm.js", "takes.js")
)
"""The script that turns a click on a button into an event with the button's data, the one that turns a question
into a dialog, and the one that passes on what happens to takes."""
CLEAR_ALERT = """(html) => (html ?? "").includes('role="alert"') ? "" : html"""
"""The function that empties a message once its cause may have gone; other messages stay."""
CLEAR = "() => ''"
"""A handler that empties a message in the page itself: the server's answer could come after the next message."""
