"""What a failed request means, whichever HTTP library made it: by classes, numbers and causes, never by text.

huggingface_hub speaks through requests, httpx or httpx2, depending on its version; their errors share class names, and
below them lie the same errors of the standard library.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from tts_core.downloads.faults import (
    Http401,
    Http403,
    NetConnect,
    NetDns,
    NetTimeout,
    NotAHub,
    NotFoundThere,
    ProxyError,
    RateLimited,
    ServerError,
    SourceFault,
    TlsVerify,
)

_TIMEOUTS = frozenset(
    {"TimeoutException", "Timeout", "ConnectTimeout", "ReadTimeout", "ConnectTimeoutError", "ReadTimeoutError"}
)
_PROXIES = frozenset({"ProxyError", "InvalidProxyURL", "ProxySchemeUnknown"})
_CONNECTIONS = frozenset({"NetworkError", "ProtocolError", "ConnectionError", "ChunkedEncodingError"})
_CUT_HANDSHAKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def host_of(url: str) -> str:
    """What people read as the source: host and, where it is not the usual one, port."""
    return urlsplit(url).netloc.rpartition("@")[2]


def network_fault(error: BaseException, url: str) -> SourceFault:
    """The fault behind an exception of a request that got no (whole) answer; NotAHub if it was an answer's content."""
    chain = list(_chain(error))
    names = {kind.__name__ for link in chain for kind in type(link).__mro__}
    source = host_of(url)
    if any(isinstance(link, ssl.SSLError) and not isinstance(link, _CUT_HANDSHAKE) for link in chain):
        return TlsVerify(source=source)
    if names & _PROXIES:
        return ProxyError(source=source)
    is_nobody_there = "NewConnectionError" in names or any(isinstance(link, socket.gaierror) for link in chain)
    if not is_nobody_there and (names & _TIMEOUTS or any(isinstance(link, TimeoutError) for link in chain)):
        return NetTimeout(source=source)
    if is_nobody_there or names & _CONNECTIONS or any(_is_of_the_network(link) for link in chain):
        # Some libraries report a dead proxy as a dead source.
        if _has_proxy(url):
            return ProxyError(source=source)
        is_name = any(isinstance(link, socket.gaierror) for link in chain)
        return NetDns(source=source) if is_name else NetConnect(source=source)
    return NotAHub(source=source)


def status_fault(status: int, url: str, *, retry_after: str | None = None) -> SourceFault:
    """The fault of an answer that is not the wanted one. `retry_after` is its header."""
    source = host_of(url)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError(source=source, status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(source=source, retry_after_s=retry_seconds(retry_after))
    kinds: dict[int, type[SourceFault]] = {
        HTTPStatus.UNAUTHORIZED: Http401,
        HTTPStatus.FORBIDDEN: Http403,
        HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: Http403,
        HTTPStatus.NOT_FOUND: NotFoundThere,
        HTTPStatus.GONE: NotFoundThere,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: ProxyError,
        HTTPStatus.REQUEST_TIMEOUT: NetTimeout,
    }
    return kinds.get(status, NotAHub)(source=source)


def retry_seconds(value: str | None) -> float | None:
    """Of a Retry-After header, seconds or a date (RFC 9110, 10.2.3); None if there is none to be understood."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    if then.tzinfo is None:  # "-0000": UTC, nothing said about where
        then = then.replace(tzinfo=timezone.utc)
    return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it; what httpcore raises "from None" still knows it as its context."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _is_of_the_network(error: BaseException) -> bool:
    """requests' errors are OSErrors whatever they are about; those of the standard library have a number."""
    return isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.errno is not None)


def _has_proxy(url: str) -> bool:
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415 - only when something failed

    return bool(select_proxy(url, get_environ_proxies(url)))
