"""The table of requests that guests may send; every other request is refused. Admins may send all requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

OPEN = frozenset({"/health", "/login", "/logout"})
"""Addresses that need no login."""


class Right(Enum):
    REST = "rest"
    WORK = "work"
    """REST that makes an engine work; a guest's requests are counted."""
    PAGE = "page"
    """A request for the guests' page, which offers only what they may do."""
    UPLOAD = "upload"
    """An upload on that page: a file that is kept for a day."""
    FILE = "file"
    """A part of that page itself, which loads a hundred of them: not counted."""


@dataclass(frozen=True, slots=True)
class _Rule:
    right: Right
    methods: frozenset[str]
    path: re.Pattern[str]


_LOOK, _SEND = frozenset({"GET", "HEAD"}), frozenset({"POST"})
_TTS, _PART = "/api/tts/qwen3", "[^/]+"
_LANGUAGE, _GRADIO = "(/zh)?", "(/zh)?/gradio_api"


def _rule(right: Right, methods: frozenset[str], *paths: str) -> _Rule:
    return _Rule(right, methods, re.compile("|".join(paths)))


_RULES = (
    _rule(Right.FILE, _LOOK, f"{_LANGUAGE}/(assets|static|svelte)/.+", f"{_LANGUAGE}/(theme.css|favicon.ico)"),
    _rule(Right.FILE, _LOOK, f"{_GRADIO}/(theme.css|app_id|startup-events)"),
    _rule(Right.PAGE, _LOOK, f"{_LANGUAGE}/", "/zh", f"{_LANGUAGE}/config/?", f"{_LANGUAGE}/manifest.json"),
    _rule(Right.PAGE, _LOOK, f"{_GRADIO}/info/?", f"{_GRADIO}/queue/(data|status)", f"{_GRADIO}/upload_progress"),
    _rule(Right.PAGE, _LOOK, f"{_GRADIO}/heartbeat/{_PART}", f"{_GRADIO}/call/{_PART}/{_PART}", f"{_GRADIO}/file=.+"),
    _rule(Right.PAGE, _SEND, f"{_GRADIO}/(queue/join|cancel|reset/?)"),
    _rule(Right.UPLOAD, _SEND, f"{_GRADIO}/upload"),
    _rule(Right.PAGE, _SEND, f"{_LANGUAGE}/speak/{_PART}"),
    _rule(Right.PAGE, _SEND, f"{_GRADIO}/(run|api|call|call/v2)/{_PART}/?"),
    _rule(Right.REST, _LOOK, "/docs", "/docs/assets/.+", "/openapi.json"),
    _rule(Right.REST, _LOOK, f"{_TTS}/(speakers|models)", f"{_TTS}/models/{_PART}/capabilities"),
    # Ids of takes are drawn at random as well.
    _rule(Right.REST, _LOOK, f"{_TTS}/(audio|live)/{_PART}"),
    _rule(Right.REST, frozenset({"DELETE"}), f"{_TTS}/audio/[0-9a-f]{{32}}"),
    _rule(Right.REST, _LOOK, f"{_TTS}/voices", f"{_TTS}/voices/{_PART}"),
    # These ids are drawn at random: a visitor who knows one has started the job. A download's id can be guessed.
    _rule(Right.REST, _LOOK, "/api/jobs/[0-9a-f]{16}"),
    _rule(Right.REST, _SEND, "/api/jobs/[0-9a-f]{16}/cancel"),
    _rule(Right.REST, _SEND, "/api/text/preview"),
    _rule(Right.WORK, _SEND, f"{_TTS}/(synthesize|transcriptions|voices/check)"),
    _rule(Right.REST, _LOOK, "/v1/models", "/v1/models/.+", "/v1/voices", "/v1/audio/(voices|models)"),
    _rule(Right.WORK, _SEND, "/v1/audio/(speech|transcriptions|translations)"),
    _rule(Right.WORK, _SEND, "/synthesize", "/extract", "/similarity", "/similarity/files"),
    _rule(Right.WORK, _SEND, "/mcp/?"),
)


def of_guest(method: str, path: str) -> Right | None:
    """The right that a request needs from a guest; None: the request is refused, as all WebSockets are. `path` is
    without what a proxy puts before it."""
    return next((rule.right for rule in _RULES if method in rule.methods and rule.path.fullmatch(path)), None)
