"""The language of the page that a browser gets: its own choice first, then what it asks for. Pure ASGI, no
framework."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from starlette.types import ASGIApp, Receive, Scope, Send

from tts_core.ui.words import LANGUAGES

COOKIE = "tts_studio_language"
PAGE_TARGETS = {"en": "", "zh": "zh"}
"""The name of each language's page on the log-in page."""
YEAR_S = 365 * 24 * 3600


def preferred_language(cookie_header: str, accept_language: str) -> str:
    """The remembered choice, else the first of the browser's languages that the page has, else English."""
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(cookie_header)
    except CookieError:
        cookies.clear()
    if COOKIE in cookies and cookies[COOKIE].value in LANGUAGES:
        return cookies[COOKIE].value
    for tag in _by_weight(accept_language):
        base = tag.split("-")[0]
        if base in LANGUAGES:
            return base
    return LANGUAGES[0]


def _by_weight(accept_language: str) -> list[str]:
    """The language tags of an Accept-Language header (RFC 9110, 12.5.4), most wanted first."""
    weighted = []
    for position, part in enumerate(accept_language.lower().split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighted.append((-float(weight or 1), position, tag))
        except ValueError:
            continue
    return [tag for _, _, tag in sorted(weighted)]


class LanguageRedirect:
    """Sends browsers that open `/` to the page in their language. A cookie remembers a choice made by `/?lang=zh` or
    `/login?lang=zh`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = _redirect(scope) if scope["type"] == "http" else None
        if target is None:
            await self._app(scope, receive, send)
            return
        headers = [(b"location", target[0]), (b"vary", b"Accept-Language, Cookie"), (b"content-length", b"0")]
        if target[1]:
            headers.append((b"set-cookie", target[1]))
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _redirect(scope: Scope) -> tuple[bytes, bytes] | None:
    """The (Location relative to `/`, Set-Cookie) of a redirect, if the request should go to another page; else None."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    root = scope.get("root_path", "")
    path = scope["path"].removeprefix(root)
    if root and not path:  # below a proxy's path, too
        return root.encode() + b"/" + (b"?" + scope["query_string"] if scope["query_string"] else b""), b""
    if path == "/zh":  # Gradio's page needs the slash: its addresses are relative
        query = scope["query_string"]
        return b"./zh/" + (b"?" + query if query else b""), b""
    if path not in ("", "/", "/login") or "text/html" not in headers.get("accept", ""):
        return None
    asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    chosen = asked.pop("lang", "")
    cookie = f"{COOKIE}={chosen}; Path={root}/; Max-Age={YEAR_S}; SameSite=Lax" if chosen in LANGUAGES else ""
    if path == "/login":
        return (_to_login(asked.get("to", ""), chosen), cookie.encode()) if cookie else None
    language = chosen if cookie else preferred_language(headers.get("cookie", ""), headers.get("accept-language", ""))
    query = f"?{urlencode(asked)}" if asked else ""  # a link into the page leads there in each language
    location = ("./zh/" if language == "zh" else "./") + query
    return (location.encode(), cookie.encode()) if cookie or language == "zh" else None


def _to_login(wanted: str, language: str) -> bytes:
    """The log-in page in that language, and where it leads: to the page in that language if to a page."""
    after = PAGE_TARGETS[language] if wanted in PAGE_TARGETS.values() else quote(wanted, safe="")
    return f"./login?to={after}".encode()
