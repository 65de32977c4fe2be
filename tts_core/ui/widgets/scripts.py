"""Scripts that run beside one of our HTML widgets, with Gradio's `element`, `trigger` and `watch`."""

from __future__ import annotations

from tts_core.platform.paths import ASSETS_DIR

ACTIONS, QUESTION, TAKES, LIBRARY_LIST = (
    (ASSETS_DIR / "scripts" / name).read_text(encoding="utf-8")
    for name in ("actions.js", "confirm.js", "takes.js", "library_list.js")
)
"""The scripts of widgets: a click on a button becomes an event with the button's data, a question becomes a dialog,
what happens to takes is passed on, and the library's rows."""
CLEAR_ALERT = """(html) => (html ?? "").includes('role="alert"') ? "" : html"""
"""The function that empties a message once its cause may have gone; other messages stay."""
CLEAR = "() => ''"
"""A handler that empties a message in the page itself: the server's answer could come after the next message."""
