"""Scripts that run beside one of our HTML widgets, with Gradio's `element`, `trigger` and `watch`."""

from __future__ import annotations

from tts_core.platform.paths import ASSETS_DIR

ACTIONS, QUESTION, LIBRARY_LIST = (
    (ASSETS_DIR / "scripts" / name).read_text(encoding="utf-8")
    for name in ("actions.js", "confirm.js", "library_list.js")
)
"""The script that turns a click on a button into an event with the button's data, the one that turns a question into a
dialog, and the one of the library's rows."""
CLEAR = "() => ''"
"""A handler that empties a message in the page itself: the server's answer could come after the next message."""
