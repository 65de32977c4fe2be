"""The outermost layer, around REST, the page and all streams: it checks host, origin and size of requests, sets the
security headers, and answers when something breaks. Pure ASGI, so that nothing is buffered."""

from __future__ import annotations

import ipaddress
import logging
import re
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from anyio import current_time, fail_after
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_core.access.public_link import PublicLink
from tts_core.api.errors import failure_response
from tts_core.api.faults import BodyTooLarge, BodyTooSlow, HostNotAllowed, OriginNotAllowed, ServerStopping
from tts_core.api.protection.cross_origin import OtherOrigins
from tts_core.api.protection.proxy import as_asked, route_path
from tts_core.domain.errors import Busy, InvalidRequest, OutOfMemory, StudioError, is_out_of_memory
from tts_core.platform.settings.studio import WILDCARD_HOSTS, Limits, Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HELD_OPEN = frozenset({"/api/models/events", "/api/jobs/events"})
"""Addresses whose origin is checked although nothing changes: another site's page could take all places there."""
MCP_ROUTES = ("/mcp", "/mcp/", "/gradio_api/mcp", "/gradio_api/mcp/")
NUMBER_ROUTES = frozenset({"/extract", "/similarity", "/synthesize", "/register_speaker"})
"""Routes that take sound as numbers inside of JSON. They read them beside the event loop."""
FLOAT_ROUTES = NUMBER_ROUTES | {"/v1/audio/speech", *MCP_ROUTES}
"""Routes that take sound inside of JSON, as numbers or as a text."""
JSON_MARKS = (b",", b"[", b"{")
"""The marks before each value in JSON, or before its name where it has one."""
MAX_JSON_VALUES = 100_000
"""The most values of a JSON body that is parsed in one go, as all but NUMBER_ROUTES do: beyond it the event loop would
stand still. No text that is spoken has so many commas."""
CONTENT_POLICY = (
    "default-src 'self' data: blob:",  # nothing from other servers, whatever a text or a file name may contain
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio 6 compiles its event code in the browser
    "style-src 'self' 'unsafe-inline'",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
)
SECURITY_HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": "; ".join(CONTENT_POLICY),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "X-Frame-Options": "SAMEORIGIN",
    }
)
MAX_DRAINED_BYTES = 64_000_000
"""The most bytes of a body that are read and dropped after the answer: more than any client should have sent."""
DRAIN_S = 10.0
DRAIN_PAUSE_S = 3.0
SMALL_BODY_BYTES = 1_000_000
MAX_HELD_BYTES = 256_000_000
"""The most bytes of all bodies in memory together. Small bodies and forms, which go to the disk, are not counted."""
CLOSE = MappingProxyType({"Connection": "close"})

_HOST = r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>\d{0,5}))?"
_HOST_HEADER = re.compile(_HOST)
_ORIGIN_HEADER = re.compile(rf"(?P<scheme>https?)://{_HOST}")
_DEFAULT_PORTS = MappingProxyType({"http": 80, "https": 443})

logger = logging.getLogger(__name__)


class RequestGuard:
    """Middleware that checks every request first; `app` is everything behind it."""

    def __init__(self, app: ASGIApp, settings: Settings, link: PublicLink | None = None) -> None:
        """`link`: the public link, whose host is served, too, while it is open."""
        self._app = app
        self._link = link
        self._hosts = frozenset(settings.allowed_hosts)
        # An address can't be rebound to another machine, only a name can, and nobody can list all of a server's.
        self._any_address = settings.host in WILDCARD_HOSTS
        self._limits = settings.limits
        self._proxies = settings.proxies
        self._others = OtherOrigins(settings.allowed_origins)
        self._held = _HeldBytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asked = as_asked(
            {**scope, "headers": [_with_readable_cookies(header) for header in scope["headers"]]}, self._proxies
        )
        headers = Headers(scope=asked)
        limit_bytes = _body_limit(route_path(asked), headers, self._limits)
        exchange = _Exchange(receive, send, limit_bytes, self._limits)
        exchange.add_headers = partial(self._others.add_headers, asked)
        exchange.is_whole = not _has_body(scope["type"], headers)
        if not _is_form(headers):
            exchange.held = self._held
            exchange.counts_values = route_path(asked) not in NUMBER_ROUTES
        try:
            self._check_host(Headers(scope=scope))  # a rebound page could write X-Forwarded-Host, but never Host
            host = self._check_host(headers)
            if not self._others.sender(asked):
                _check_origin(asked, headers, host)
            _check_length(headers, limit_bytes)
        except StudioError as error:
            await failure_response(error, CLOSE)(asked, receive, exchange.send)
            return
        if (preflight := self._others.preflight(asked)) is not None:  # it carries no key, so nobody looks for one
            await preflight(asked, exchange.receive, exchange.send)
            return
        try:
            await self._answer(asked, exchange)
        finally:
            exchange.close()

    async def _answer(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            pass  # nobody is there to be answered, or the body was refused, which is answered below
        except CancelledError:
            # The server ends and waits no longer; a page or a stream that is open ends with it.
            if scope["type"] == "websocket" or exchange.is_answering or exchange.is_answered:
                return
            await failure_response(ServerStopping(), CLOSE)(scope, exchange.receive, exchange.send)
        except Exception as problem:
            # The route's pattern, not the address: whoever wrote the address may have put a text there.
            logger.exception("%s %s failed", scope.get("method"), getattr(scope.get("route"), "path", "(no route)"))
            if scope["type"] == "websocket":
                raise
            # An answer that has begun is cut off by the server: only a broken connection can still show the failure.
            if not exchange.is_answering and not exchange.is_answered:
                failure = OutOfMemory() if is_out_of_memory(problem) else StudioError()
                await failure_response(failure)(scope, exchange.receive, exchange.send)
        if exchange.refusal is not None and not exchange.is_answering and not exchange.is_answered:
            await failure_response(exchange.refusal, CLOSE)(scope, exchange.receive, exchange.send_anyway)

    def _check_host(self, headers: Headers) -> _Host:
        given = headers.getlist("host")
        match = _HOST_HEADER.fullmatch(given[0].lower()) if len(given) == 1 else None
        if match is None or not self._is_allowed(match["name"]):
            raise HostNotAllowed
        return _Host(match["name"], match["port"])

    def _is_allowed(self, name: str) -> bool:
        if name in self._hosts or (self._any_address and _is_address(name)):
            return True
        return self._link is not None and name == self._link.host


class _Host(NamedTuple):
    name: str
    """The host's name in lower case; an IPv6 address has its brackets."""
    port: str | None

    def port_for(self, scheme: str) -> int:
        return int(self.port) if self.port else _DEFAULT_PORTS[scheme]


class _HeldBytes:
    """The bytes of bodies that are in memory now."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, size_bytes: int) -> None:
        """Raises Busy where there is no room for more."""
        if self.total + size_bytes > MAX_HELD_BYTES:
            raise Busy
        self.total += size_bytes


class _Exchange:
    """A request while it is answered: counts the bytes that come in, adds headers to the answer."""

    def __init__(self, receive: Receive, send: Send, limit_bytes: int, limits: Limits) -> None:
        self._receive = receive
        self._send = send
        self._limit_bytes = limit_bytes
        self._limits = limits
        self._received_bytes = 0
        self._waited_s = 0.0
        self.add_headers: Callable[[MutableHeaders], None] = lambda _headers: None
        """Adds what this request's sender needs in the answer's head."""
        self._values = 0
        self._held_bytes = 0
        self.held: _HeldBytes | None = None
        """The count that the body takes part in while the request is answered."""
        self.counts_values = False
        """Whether the body is refused when it seems to be JSON of more than MAX_JSON_VALUES values."""
        self.is_whole = False
        """Whether all of the body has come, or there is none: after it, a client may be silent for as long as it
        likes."""
        self.refusal: StudioError | None = None
        """The problem of the body; None if it has none."""
        self.is_answering = False
        """Whether the answer has begun and is not complete."""
        self.is_answered = False

    async def receive(self) -> Message:
        """The next message. If the body grows too large or comes too slowly, the client seems to have gone."""
        if self.refusal is None:
            try:
                message = await self._next()
                self._check()
            except TimeoutError:
                self.refusal = BodyTooSlow()
            except StudioError as error:
                self.refusal = error
            else:
                return message
        return {"type": "http.disconnect"}

    def close(self) -> None:
        """Count the body no longer."""
        if self.held is not None:
            self.held.total -= self._held_bytes

    def _check(self) -> None:
        """Raise BodyTooLarge, InvalidRequest or Busy if no more of the body may come."""
        if self._received_bytes > self._limit_bytes:
            raise BodyTooLarge(limit_bytes=self._limit_bytes)
        if self._values > MAX_JSON_VALUES:
            raise InvalidRequest(reason=f"it holds more than {MAX_JSON_VALUES} values.")
        if self.held is not None and self._received_bytes > SMALL_BODY_BYTES:
            self.held.add(self._received_bytes - self._held_bytes)
            self._held_bytes = self._received_bytes

    async def _next(self) -> Message:
        """The next message. Raises TimeoutError if the body is not complete and pauses for too long."""
        began = current_time()
        with fail_after(None if self.is_whole else self._patience_s()):
            message = await self._receive()
        self._waited_s += current_time() - began
        if message["type"] == "http.request":
            body = message.get("body", b"")
            self._received_bytes += len(body)
            self.is_whole = not message.get("more_body", False)
            if self.counts_values:
                self._values += sum(map(body.count, JSON_MARKS))
        return message

    def _patience_s(self) -> float:
        """The seconds for which the next piece may be waited for. Time in which the application asked for none doesn't
        count."""
        limits = self._limits
        in_all_s = limits.smallest_body_s + self._limit_bytes / limits.largest_body_bytes_per_s
        so_far_s = limits.body_pause_s + self._received_bytes / limits.min_body_bytes_per_s
        return min(limits.body_pause_s, min(in_all_s, so_far_s) - self._waited_s)

    async def _drain(self) -> None:
        """Read on for a moment: a connection closed on a client that still sends takes the answer with it."""
        allowed_bytes = MAX_DRAINED_BYTES
        with suppress(TimeoutError), fail_after(DRAIN_S):
            while allowed_bytes > 0 and not self.is_whole:
                with fail_after(DRAIN_PAUSE_S):
                    message = await self._receive()
                allowed_bytes -= len(message.get("body", b""))
                self.is_whole = not message.get("more_body", False)

    async def send(self, message: Message) -> None:
        """Pass an answer on, unless the body was refused; then the refusal is the answer."""
        if self.refusal is None or self.is_answering:
            await self.send_anyway(message)

    async def send_anyway(self, message: Message) -> None:
        if message["type"].endswith("http.response.start"):
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            self.add_headers(headers)
            self.is_answering = True
        elif message["type"].endswith("http.response.body") and not message.get("more_body", False):
            self.is_answering = False
            self.is_answered = True
            if not self.is_whole and not isinstance(self.refusal, BodyTooSlow):
                await self._send({**message, "more_body": True})
                await self._drain()
                message = {**message, "body": b""}
        await self._send(message)


def _with_readable_cookies(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header without cookies that hold a backslash, which no cookie may (RFC 6265).

    Frameworks read cookies with Python's own reader; before 3.12.6 it takes quadratic time over backslashes, many
    seconds for one header.
    """
    name, value = header
    if name != b"cookie" or b"\\" not in value:
        return header
    return name, b";".join(part for part in value.split(b";") if b"\\" not in part)


def _has_body(kind: str, headers: Headers) -> bool:
    return kind == "http" and ("transfer-encoding" in headers or headers.get("content-length", "0") != "0")


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").lower().startswith("multipart/")


def _body_limit(path: str, headers: Headers, limits: Limits) -> int:
    if _is_form(headers):
        return limits.max_upload_bytes
    return limits.max_float_body_bytes if path in FLOAT_ROUTES else limits.max_body_bytes


def _check_length(headers: Headers, limit_bytes: int) -> None:
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)


def _check_origin(scope: Scope, headers: Headers, host: _Host) -> None:
    """Refuse requests from another site's page: always where a connection stays open, else where they could change
    something. Raises OriginNotAllowed."""
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS and route_path(scope) not in HELD_OPEN:
        return
    scheme = "https" if scope["scheme"] in ("https", "wss") else "http"
    is_own_site = headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    if not is_own_site or not all(_is_own_origin(value, scheme, host) for value in headers.getlist("origin")):
        raise OriginNotAllowed


def _is_own_origin(origin: str, scheme: str, host: _Host) -> bool:
    match = _ORIGIN_HEADER.fullmatch(origin.lower())
    if match is None:  # also "null", which a page without an origin sends
        return False
    if match["scheme"] not in (scheme, "https"):  # TLS may end at a proxy in front of us, but never begin behind it
        return False
    sender = _Host(match["name"], match["port"])
    return sender.name == host.name and sender.port_for(match["scheme"]) == host.port_for(match["scheme"])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
