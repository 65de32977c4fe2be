"""Scripts that run beside one of our HTML widgets, with Gradio's `element`, `trigger` and `watch`."""

from __future__ import annotations

from tts_core.platform.paths import ASSETS_DIR

ACTIONS, QUESTION = ((ASSETS_DIR / name).read_text(encoding="utf-8") for name in ("actions.js", "confirm.js"))
"""A click on a button becomes an event with the button's data; a question becomes a dialog."""
