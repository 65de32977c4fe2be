"""The page that asks a visitor to log in."""

from __future__ import annotations

from html import escape

from starlette.datastructures import Headers

from tts_core.domain.errors import StudioError
from tts_core.ui.language import preferred_language
from tts_core.ui.plain_page import plain_page
from tts_core.ui.words import load_words

MAX_NAME_CHARS = 200


def login_page(headers: Headers, target: str, error: StudioError | None, name: str) -> str:
    """The log-in page for a browser with these headers. `target`: the page that it wants, "zh" for one. `name`: the one
    that was typed."""
    language = (
        "zh" if target == "zh" else preferred_language(headers.get("cookie", ""), headers.get("accept-language", ""))
    )
    words = load_words(language)
    other = "en" if language == "zh" else "zh"
    alert = f'<p class="alert" role="alert">{escape(words.error(error))}</p>' if error else ""
    kept = escape(name[:MAX_NAME_CHARS])
    on_name, on_password = ("", " autofocus") if kept else (" autofocus", "")
    body = f"""<p class="other"><a href="./login?lang={other}&amp;to={escape(target)}"
 aria-label="{escape(words("app.switch_language_label"))}">{escape(words("app.switch_language"))}</a></p>
<p>{escape(words("login.intro"))}</p>
{alert}
<form method="post" action="./login">
<label>{escape(words("login.name"))}
<input name="username" value="{kept}" autocomplete="username" autocapitalize="none" spellcheck="false"
 required{on_name}></label>
<label>{escape(words("login.password"))}
<input name="password" type="password" autocomplete="current-password" required{on_password}></label>
<input name="to" type="hidden" value="{escape(target)}">
<button>{escape(words("login.button"))}</button>
</form>
<p class="note">{escape(words("login.ask"))}</p>"""
    return plain_page(words, words("login.title"), body)
