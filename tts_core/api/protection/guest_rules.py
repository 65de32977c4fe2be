"""What a guest may ask for: one table, and whatever is not in it is refused. Admins may ask for everything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

OPEN = frozenset({"/health", "/login", "/logout"})
"""Needs no login."""


class Right(Enum):
    REST = "rest"
    WORK = "work"
    """REST that makes an engine work; a guest's are counted."""
    PAGE = "page"
    """Answered by the page for guests, which has nothing on it that they may not do."""
    UPLOAD = "upload"
    """The same: a file that is kept for a day."""
    FILE = "file"
    """The same, but of the page's own parts, of which it loads a hundred: not counted."""


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
    _rule(Right.PAGE, _SEND, f"{_GRADIO}/(run|api|call|call/v2)/{_PART}/?"),
    _rule(Right.REST, _LOOK, "/docs", "/docs/assets/.+", "/openapi.json"),
    _rule(Right.REST, _LOOK, f"{_TTS}/(speakers|models)", f"{_TTS}/models/{_PART}/capabilities"),
    _rule(Right.REST, _LOOK, f"{_TTS}/(audio|live)/{_PART}"),
    _rule(Right.REST, _LOOK, f"{_TTS}/voices", f"{_TTS}/voices/{_PART}"),
    # These ids are drawn at random: who knows one has started the job. A download's can be guessed.
    _rule(Right.REST, _LOOK, "/api/jobs/[0-9a-f]{16}"),
    _rule(Right.REST, _SEND, "/api/jobs/[0-9a-f]{16}/cancel"),
    _rule(Right.WORK, _SEND, f"{_TTS}/(synthesize|transcriptions|voices/check)"),
    _rule(Right.REST, _LOOK, "/v1/models", f"/v1/models/{_PART}", "/v1/audio/(voices|models)"),
    _rule(Right.WORK, _SEND, "/v1/audio/(speech|transcriptions|translations)"),
    _rule(Right.WORK, _SEND, "/synthesize", "/extract", "/similarity", "/similarity/files"),
    _rule(Right.WORK, _SEND, "/mcp/?"),
)


def of_guest(method: str, path: str) -> Right | None:
    """What the path, without what a proxy puts before it, is to a guest; None is refused. WebSockets are."""
    return next((rule.right for rule in _RULES if method in rule.methods and rule.path.fullmatch(path)), None)
