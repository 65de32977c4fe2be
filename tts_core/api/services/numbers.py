"""JSON whose bulk is long lists of numbers: a parser would turn millions of them into objects while nothing else runs.

Here such lists stay text until the route knows how many it may take. They are then read in short pieces, between which
the event loop goes on.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from anyio import sleep
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema
from starlette.types import Receive, Scope, Send

from tts_core.api.faults import BodyTooLarge
from tts_core.api.protection.request_guard import JSON_MARKS, MAX_JSON_VALUES
from tts_core.api.work import Workers
from tts_core.domain.errors import InvalidRequest
from tts_core.domain.events import Samples

MIN_CUT_BYTES = 65_536
"""The length from which a list of numbers is read in pieces. A shorter one is parsed in a millisecond."""
_PIECE_BYTES = 32_768
_PIECE_NUMBERS = 8192
_LONGEST_BYTES = 1000
"""The most bytes of one number with the white space around it."""
_CHARACTERS = b"0123456789+-.eE, \t\r\nNaIfinty"
"""The characters of numbers and of what stands between them; NaN and Infinity are numbers to Python."""
_NEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|\[(?=[0-9+\-.eE, \t\r\nNaIfinty]{64})', re.DOTALL)
"""A text, in which a bracket means nothing, or what may be the begin of a long list of numbers."""


class Numbers:
    """A list of numbers in JSON, checked and read only when its values are asked for."""

    MAX: ClassVar[int | None] = None
    """The most numbers of such a list."""

    def __init__(self, text: bytes, start: int = 0, end: int | None = None) -> None:
        """`text[start:end]` is what stands between the brackets."""
        self._text = text
        self._start = start
        self._end = len(text) if end is None else end
        is_empty = self._end - self._start < _LONGEST_BYTES and not text[self._start : self._end].strip()
        self._count = 0 if is_empty else text.count(b",", self._start, self._end) + 1

    @classmethod
    def of(cls, values: Sequence[float]) -> Numbers:
        return cls(json.dumps(values)[1:-1].encode())

    def __len__(self) -> int:
        return self._count

    def values(self) -> npt.NDArray[np.float64]:
        """The numbers. Takes a moment for millions, so call it in a thread. Raises InvalidRequest."""
        found = np.empty(self._count, np.float64)
        at, filled = self._start, 0
        while filled < self._count:
            comma = self._text.find(b",", min(at + _PIECE_BYTES, self._end), self._end)
            end = self._end if comma < 0 else comma
            if end - at > _PIECE_BYTES + _LONGEST_BYTES:
                raise InvalidRequest(reason="a list of numbers holds something else.")
            piece = _read(self._text[at:end])
            if not len(piece) or filled + len(piece) > self._count:
                raise InvalidRequest(reason="a list of numbers holds something else.")
            found[filled : filled + len(piece)] = piece
            at, filled = end + 1, filled + len(piece)
            time.sleep(0)  # lets other threads run
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        numbers = core_schema.list_schema(core_schema.float_schema(), max_length=cls.MAX, fail_fast=True)
        return core_schema.no_info_wrap_validator_function(cls._checked, numbers)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        most = {} if cls.MAX is None else {"maxItems": cls.MAX}
        return {"type": "array", "items": {"type": "number"}, **most}

    @classmethod
    def _checked(cls, value: Any, as_list: ValidatorFunctionWrapHandler) -> Numbers:
        if not isinstance(value, Numbers):
            return cls.of(as_list(value))
        if cls.MAX is not None and len(value) > cls.MAX:
            facts = {"field_type": "List", "max_length": cls.MAX, "actual_length": len(value)}
            raise PydanticKnownError("too_long", facts)
        return value


class NumbersRoute(APIRoute):
    """A route whose JSON is read by `parsed`, beside the event loop."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_NumbersRequest(request.scope, request.receive))

        return handle


class _NumbersRequest(Request):
    async def json(self) -> Any:
        body, workers = await self.body(), self.app.state.workers
        assert isinstance(workers, Workers)  # noqa: S101 - what every application is given
        max_bytes = self.app.state.services.settings.limits.max_body_bytes
        return await workers.decode(lambda: parsed(body, max_bytes))


class NumbersResponse(Response):
    """An answer with a long list of numbers, made by `written` and sent in pieces: others are answered in between."""

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for at in range(0, len(self.body), MIN_CUT_BYTES):
            end = at + MIN_CUT_BYTES
            await send({"type": "http.response.body", "body": self.body[at:end], "more_body": end < len(self.body)})
            await sleep(0)


def written(facts: Mapping[str, Any], name: str, numbers: Samples) -> bytes:
    """A JSON object of facts, and of the numbers under `name`. Takes a moment for millions: call it in a thread."""
    pieces = []
    for at in range(0, len(numbers), _PIECE_NUMBERS):
        pieces.append(json.dumps(numbers[at : at + _PIECE_NUMBERS].tolist())[1:-1])
        time.sleep(0)  # lets other threads run
    return f'{{"{name}":[{",".join(pieces)}],{json.dumps(facts)[1:]}'.encode()


def parsed(body: bytes, max_bytes: int) -> Any:
    """The JSON value, in which each long list of numbers in an object is a Numbers.

    Raises json.JSONDecodeError, and BodyTooLarge or InvalidRequest where so much stands beside these lists that parsing
    it would hold up everybody.
    """
    mark = f"numbers-{secrets.token_hex(8)}-"
    rest, lists = _cut(body, mark, max_bytes)
    if len(rest) > max_bytes:
        raise BodyTooLarge(limit_bytes=max_bytes)
    if sum(map(rest.count, JSON_MARKS)) > MAX_JSON_VALUES:
        raise InvalidRequest(reason=f"it holds more than {MAX_JSON_VALUES} values.")
    cut = {f"{mark}{number}": numbers for number, numbers in enumerate(lists)}

    def put_back(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: cut.get(value, value) if isinstance(value, str) else value for name, value in fields.items()}

    return json.loads(rest, object_hook=put_back if cut else None)


def _cut(body: bytes, mark: str, max_bytes: int) -> tuple[bytes, list[Numbers]]:
    """The body with a text that begins with `mark` in the place of each long list of numbers, and these lists."""
    rest, lists = bytearray(), list[Numbers]()
    kept = at = end = 0
    while len(body) - kept > MIN_CUT_BYTES:
        found = _NEXT.search(body, at, kept + max_bytes)
        if found is None:
            break
        at = found.end()
        if body[found.start()] != ord("["):
            continue
        if end < at and (end := body.find(b"]", at)) < 0:
            break
        if end - at > MIN_CUT_BYTES and _is_of_numbers(body, at, end):
            rest += body[kept : found.start()] + f'"{mark}{len(lists)}"'.encode()
            lists.append(Numbers(body, at, end))
            kept = at = end + 1
    return bytes(rest + body[kept:]) if lists else body, lists


def _is_of_numbers(body: bytes, start: int, end: int) -> bool:
    pieces = (body[at : min(at + MIN_CUT_BYTES, end)] for at in range(start, end, MIN_CUT_BYTES))
    return not any(piece.translate(None, _CHARACTERS) for piece in pieces)


def _read(text: bytes) -> npt.NDArray[np.float64]:
    try:
        return np.array(json.loads(b"[" + text + b"]"), np.float64)
    except (ValueError, OverflowError):
        raise InvalidRequest(reason="a list of numbers holds something else.") from None
