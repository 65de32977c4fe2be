"""The page that asks a visitor to log in: plain HTML, without Gradio and without scripts."""

from __future__ import annotations

from html import escape

from starlette.datastructures import Headers

from tts_core.domain.errors import StudioError
from tts_core.platform.paths import ASSETS_DIR
from tts_core.ui.language import preferred_language
from tts_core.ui.page_head import HTML_TAGS
from tts_core.ui.words import load_words


def login_page(headers: Headers, target: str, error: StudioError | None) -> str:
    """The log-in page for a browser with these headers. `target`: the page that it wants, "zh" for one."""
    language = (
        "zh" if target == "zh" else preferred_language(headers.get("cookie", ""), headers.get("accept-language", ""))
    )
    words = load_words(language)
    style = (ASSETS_DIR / "styles" / "login.css").read_text(encoding="utf-8")
    alert = f'<p class="alert" role="alert">{escape(words.error(error))}</p>' if error else ""
    return f"""<!doctype html>
<html lang="{HTML_TAGS[language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{escape(words("login.title"))} · {escape(words("app.title"))}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><svg viewBox="0 0 32 32" width="40" height="40" aria-hidden="true"><rect width="32" height="32" rx="9"/>
<path d="M8 13v6M13 9v14M18 12v8M23 7v18" stroke-width="2.6" stroke-linecap="round"/></svg>
<h1>{escape(words("app.title"))}</h1></header>
<p>{escape(words("login.intro"))}</p>
{alert}
<form method="post" action="./login">
<label>{escape(words("login.name"))}
<input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus></label>
<label>{escape(words("login.password"))}
<input name="password" type="password" autocomplete="current-password" required></label>
<input name="to" type="hidden" value="{escape(target)}">
<button>{escape(words("login.button"))}</button>
</form>
<p class="note">{escape(words("login.ask"))}</p>
</main>
</body>
</html>"""
