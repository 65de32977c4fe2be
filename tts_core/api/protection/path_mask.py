"""Hides the folders of this machine from guests: answers name them by stand-ins, and stand-ins in requests are replaced
by the folders again.

Gradio's pages hold the paths of files; so do errors about files, and more places come with every version. One layer
that looks at all answers is easier to trust than many places that must not forget.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

_MAX_NAMED_BYTES = 1_000_000
"""The largest body that names files: pages send no larger ones, and whoever sends sound in JSON names none."""
_TEXT = ("application/json", "text/html", "text/plain", "text/event-stream")


class PathMask:
    def __init__(self, folders: Mapping[str, Path]) -> None:
        """`folders`: from the stand-in, such as "/studio", to its folder."""
        named = [(name, folder) for name, folder in folders.items() if folder != Path(folder.anchor)]
        longest_first = sorted(named, key=lambda item: -len(str(item[1])))
        self._hidden = [(_whole(form), name.encode()) for name, folder in longest_first for form in _forms(str(folder))]
        self._meant = [(name.encode(), _in_json(str(folder))) for name, folder in longest_first]
        self._meant_in_path = [(name, str(folder)) for name, folder in longest_first]

    def over(self, scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Receive, Send]:
        """The exchange as a guest sees it."""
        if scope["type"] != "http":
            return scope, receive, send
        # A compressed answer couldn't be searched.
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        masked = {**scope, "headers": headers, **self._with_folder(scope["path"])}
        is_json = Headers(scope=scope).get("content-type", "").startswith("application/json")
        return masked, self._restoring(receive) if is_json else receive, self._hiding(send)

    def _with_folder(self, path: str) -> dict[str, object]:
        """The changed fields of a scope whose path, the address of a file, holds a stand-in; {} for any other path."""
        before, mark, file = path.partition("/file=")
        for name, folder in self._meant_in_path:
            if mark and (file == name or file.startswith((f"{name}/", f"{name}\\"))):
                meant = before + mark + folder + file.removeprefix(name)
                return {"path": meant, "raw_path": quote(meant).encode()}
        return {}

    def _restoring(self, receive: Receive) -> Receive:
        """A `receive` that gives the body in one piece with the folders put in: a stand-in could lie across two
        messages. The guard has limited the body's size."""
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
            whole_body = bytes(body)
            if len(whole_body) <= _MAX_NAMED_BYTES:
                whole_body = _replaced(whole_body, self._meant)
            return {"type": "http.request", "body": whole_body, "more_body": False}

        return whole

    def _masked(self, text: bytes) -> bytes:
        for pattern, name in self._hidden:
            text = pattern.sub(name.replace(b"\\", b"\\\\"), text)
        return text

    def _hiding(self, send: Send) -> Send:
        """A `send` that hides the folders. Streamed answers come in whole events, so that no name lies
        across two messages."""
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
    """A pattern for the folder as a whole path, not inside of another: "/data" is not found in "queue/data"."""
    return re.compile(rb"(?:(?<![\w.~%/-])|(?<=\\[nrt])|(?<=://))" + re.escape(form) + rb"(?![\w-])")


def _resized(start: Message, length: int | None) -> Message:
    """The start of the answer with the new length; None: the length is not known yet."""
    headers = [(name, value) for name, value in start["headers"] if name.lower() not in (b"content-length", b"etag")]
    sized = [(b"content-length", str(length).encode())] if length is not None else []
    return {**start, "headers": [*headers, *sized]}


def _replaced(text: bytes, pairs: list[tuple[bytes, bytes]]) -> bytes:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _in_json(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


def _forms(folder: str) -> list[bytes]:
    """The folder as it stands in texts, in JSON of either kind, and in addresses."""
    plain = json.dumps(folder, ensure_ascii=False)[1:-1]
    return list(dict.fromkeys([_in_json(folder), plain.encode(), folder.encode(), quote(folder).encode()]))
