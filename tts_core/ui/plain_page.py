"""Plain HTML without Gradio and without scripts, for the log-in page and for addresses where there is none."""

from __future__ import annotations

from html import escape

from tts_core.platform.paths import ASSETS_DIR
from tts_core.ui.page_head import HTML_TAGS
from tts_core.ui.words import Words


def plain_page(words: Words, title: str, body: str) -> str:
    """A page with this body, which is HTML."""
    style = (ASSETS_DIR / "styles" / "login.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="{HTML_TAGS[words.language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{escape(title)} · {escape(words("app.title"))}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><svg viewBox="0 0 32 32" width="40" height="40" aria-hidden="true"><rect width="32" height="32" rx="9"/>
<path d="M8 13v6M13 9v14M18 12v8M23 7v18" stroke-width="2.6" stroke-linecap="round"/></svg>
<h1>{escape(words("app.title"))}</h1></header>
{body}
</main>
</body>
</html>"""
