"""Puts our script and the page's language into the HTML that Gradio serves, before anything of Gradio runs.

Gradio adds its own `head` argument only after its page has started: too late to choose the theme without a flash, and
to tell Gradio's own labels which language the page is in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_core.platform.paths import ASSETS_DIR
from tts_core.ui.words import load_words

SCRIPTS = (
    "remember.js",
    "player.js",
    "live_sound.js",
    "take_list.js",
    "page.js",
    "fields.js",
    "one_sound.js",
    "voice_picker.js",
    "recorder.js",
)
"""The page's scripts in their order: the player notes a key before the page presses a button for it."""
HTML_TAGS = {"en": "en", "zh": "zh-CN"}
"""The BCP 47 tag of each page language."""
_BEGIN = b"<script>studioMemory.begin(window.gradio_config)</script>"
"""The script below Gradio's configuration; Gradio itself starts when the whole page has been read."""


def head_html(language: str) -> str:
    """The scripts of the page in `language`."""
    tag = HTML_TAGS[language]
    # Gradio's labels follow the browser's language; the page's own may differ.
    declare = (
        f'for (const [name, value] of [["language", "{tag}"], ["languages", ["{tag}"]]])'
        "Object.defineProperty(navigator, name, { get: () => value });"
    )
    table = load_words(language).table
    texts = {key.removeprefix("script."): text for key, text in table.items() if key.startswith("script.")}
    declare += f"const studioTexts = {json.dumps(texts)};"
    scripts = [(ASSETS_DIR / "scripts" / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "".join(f"<script>{script}</script>" for script in (declare, *scripts))


class PageHead:
    """ASGI middleware around the mounted pages."""

    def __init__(self, app: ASGIApp, pages: Mapping[str, str]) -> None:
        """`pages`: from language to the path where its page is mounted."""
        self._app = app
        self._languages = {path.rstrip("/"): language for language, path in pages.items()}
        self._heads = {language: head_html(language).encode() for language in pages}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")).rstrip("/")
        language = self._languages.get(path)
        if scope["type"] != "http" or scope["method"] != "GET" or language is None:
            await self._app(scope, receive, send)
            return
        # A compressed page could not be added to.
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._app({**scope, "headers": headers}, receive, self._adding(send, language))

    def _adding(self, send: Send, language: str) -> Send:
        start: Message = {}
        body = bytearray()

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            page = self._complete(bytes(body), language)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(page)).encode())]})
            await send({"type": "http.response.body", "body": page})

        return add

    def _complete(self, page: bytes, language: str) -> bytes:
        tagged = page.replace(b'lang="en"', f'lang="{HTML_TAGS[language]}"'.encode(), 1)
        with_head = tagged.replace(b"<head>", b"<head>" + self._heads[language], 1)
        return with_head.replace(b"</body>", _BEGIN + b"</body>", 1)
