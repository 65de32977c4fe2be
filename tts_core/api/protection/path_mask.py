"""Hides the folders of this machine from guests: what they read names them by stand-ins, what they send back by the
same stand-ins is understood.

Gradio tells its pages where files lie; so do errors about files, and more ways come with every version. One place that
looks at all that goes out is easier to trust than many that must not forget.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

_TEXT = ("application/json", "text/html", "text/plain", "text/event-stream")


class PathMask:
    def __init__(self, folders: Mapping[str, Path]) -> None:
        """`folders`: stand-in, such as "/studio", to folder."""
        named = [(name, folder) for name, folder in folders.items() if folder != Path(folder.anchor)]
        longest_first = sorted(named, key=lambda item: -len(str(item[1])))
        self._hidden = [(_whole(form), name.encode()) for name, folder in longest_first for form in _forms(str(folder))]
        self._meant = [(name.encode(), _in_json(str(folder))) for name, folder in longest_first]
        self._meant_in_path = [(name, str(folder)) for name, folder in longest_first]

    def over(self, scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Receive, Send]:
        """The same exchange, as a guest sees it."""
        if scope["type"] != "http":
            return scope, receive, send
        # What is compressed can't be read.
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        masked = {**scope, "headers": headers, **self._asked(scope["path"])}
        is_json = Headers(scope=scope).get("content-type", "").startswith("application/json")
        return masked, self._understanding(receive) if is_json else receive, self._hiding(send)

    def _asked(self, path: str) -> dict[str, object]:
        """A file's address holds its folder."""
        before, mark, file = path.partition("/file=")
        for name, folder in self._meant_in_path:
            if mark and (file == name or file.startswith((f"{name}/", f"{name}\\"))):
                meant = before + mark + folder + file.removeprefix(name)
                return {"path": meant, "raw_path": quote(meant).encode()}
        return {}

    def _understanding(self, receive: Receive) -> Receive:
        """The whole body at once: a stand-in could lie across two messages. The guard has limited its size."""
        is_read = False

        async def whole() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            body, more = bytearray(), True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                body += message.get("body", b"")
                more = message.get("more_body", False)
            is_read = True
            return {"type": "http.request", "body": _replaced(bytes(body), self._meant), "more_body": False}

        return whole

    def _masked(self, text: bytes) -> bytes:
        for pattern, name in self._hidden:
            text = pattern.sub(name.replace(b"\\", b"\\\\"), text)
        return text

    def _hiding(self, send: Send) -> Send:
        """Answers that are told piece by piece come in whole events, so that no name lies across two messages."""
        start: Message | None = None
        is_text = False

        async def hide(message: Message) -> None:
            nonlocal start, is_text
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                start, is_text = message, kind.startswith(_TEXT)
                if not is_text:
                    await send(message)
                return
            if is_text and message["type"] == "http.response.body":
                body = self._masked(message.get("body", b""))
                if start is not None:
                    await send(_resized(start, None if message.get("more_body") else len(body)))
                    start = None
                message = {**message, "body": body}
            await send(message)

        return hide


def _whole(form: bytes) -> re.Pattern[bytes]:
    """Where it stands as a path, not inside of another: "/data" is none in "queue/data"."""
    return re.compile(rb"(?:(?<![\w.~%/-])|(?<=\\[nrt])|(?<=://))" + re.escape(form) + rb"(?![\w-])")


def _resized(start: Message, length: int | None) -> Message:
    """None: not known yet."""
    headers = [(name, value) for name, value in start["headers"] if name.lower() not in (b"content-length", b"etag")]
    told = [(b"content-length", str(length).encode())] if length is not None else []
    return {**start, "headers": [*headers, *told]}


def _replaced(text: bytes, pairs: list[tuple[bytes, bytes]]) -> bytes:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _in_json(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


def _forms(folder: str) -> list[bytes]:
    """As it stands in texts, JSON texts of either kind, and addresses."""
    plain = json.dumps(folder, ensure_ascii=False)[1:-1]
    return list(dict.fromkeys([_in_json(folder), plain.encode(), folder.encode(), quote(folder).encode()]))
