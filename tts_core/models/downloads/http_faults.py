"""Faults for failures of an HTTP exchange: exceptions of requests, urllib3, ssl and sockets by type, answers by status.

Messages and tracebacks of those exceptions hold addresses with signatures, so none of them is chained to a fault.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import requests
import urllib3.exceptions as low

from tts_core.models.download_faults import (
    Gated,
    Http401,
    Http403,
    NetConnect,
    NetDns,
    NetStalled,
    NetTimeout,
    NotAHub,
    NotFoundThere,
    ProxyError,
    RateLimited,
    RevisionNotFound,
    ServerError,
    SourceFault,
    TlsVerify,
    UrlExpired,
)

_PROXY_ERRORS = (
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidProxyURL,
    low.ProxyError,
    low.ProxySchemeUnknown,
    low.ProxySchemeUnsupported,
)

HTTP_ERRORS = (requests.RequestException, low.HTTPError, http.client.HTTPException, OSError, ValueError)
"""The exceptions that asking for a file raises."""

_NOT_HTTP = (
    http.client.BadStatusLine,
    http.client.LineTooLong,
    http.client.UnknownProtocol,
    low.LocationValueError,
    low.InvalidHeader,
    low.UnrewindableBodyError,
    low.DecodeError,
    requests.exceptions.InvalidURL,
    requests.exceptions.TooManyRedirects,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    UnicodeError,
)


def ask_fault(error: Exception, source: str) -> SourceFault:
    """The fault behind a missing answer; `error` is one of HTTP_ERRORS."""
    causes = tuple(_causes(error))
    fault: type[SourceFault] = NetConnect
    # urllib3 has a plain ValueError for a kind of SOCKS that it does not know.
    if _any(causes, *_PROXY_ERRORS) or _is_of_socks(causes) or type(error) is ValueError:
        fault = ProxyError
    elif _any(causes, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        fault = NetConnect
    elif _any(causes, requests.exceptions.SSLError, low.SSLError, ssl.SSLError):
        fault = TlsVerify
    elif _any(causes, low.NameResolutionError):
        fault = NetDns
    elif _any(causes, low.NewConnectionError):  # a refused connection; urllib3 derives it from a timeout
        fault = NetConnect
    elif _any(causes, requests.exceptions.Timeout, low.TimeoutError, TimeoutError):
        fault = NetTimeout
    elif _any(causes, http.client.RemoteDisconnected, ConnectionError):
        fault = NetConnect
    elif _any(causes, *_NOT_HTTP):
        fault = NotAHub
    elif type(error) is OSError:  # requests: the CA bundle that the environment names does not exist
        fault = TlsVerify
    return fault(source=source)


def body_fault(error: Exception, source: str) -> SourceFault:
    """The fault behind a body that broke off; `error` is one of HTTP_ERRORS."""
    return NotAHub(source=source) if _any((error,), low.DecodeError) else NetStalled(source=source)


def status_fault(status: int, headers: Mapping[str, str], source: str, *, redirected: bool = False) -> SourceFault:
    """The fault that an unexpected status means.

    `X-Error-Code` is Hugging Face's. `redirected` says that the answer came from an address that the hub gave; those
    are signed for a while, and refuse afterwards.
    """
    error_code = headers.get("X-Error-Code", "")
    if error_code == "GatedRepo":
        return Gated(source=source)
    if error_code == "RevisionNotFound":
        return RevisionNotFound(source=source)
    if redirected and status in (400, 401, 403, 410):
        return UrlExpired(source=source)
    if status == 429:
        return RateLimited(source=source, retry_after_s=retry_after_s(headers))
    if status in (408, 425) or (500 <= status < 600 and status != 511):
        return ServerError(source=source, status=status)
    plain = {401: Http401, 403: Http403, 451: Http403, 404: NotFoundThere, 410: NotFoundThere, 407: ProxyError}
    return plain.get(status, NotAHub)(source=source)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None where it can't be read."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _is_of_socks(causes: tuple[object, ...]) -> bool:
    """Whether PySocks failed; its errors become "can't connect" in urllib3."""
    return any(type(cause).__module__ == "socks" for cause in causes)


def _any(causes: tuple[object, ...], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: object) -> Iterator[BaseException]:
    """The error and all that it wraps: requests and urllib3 put the cause into `args` or `reason`."""
    pending, seen = [error], set()
    while pending:
        one = pending.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            pending += [*one.args, getattr(one, "reason", None), one.__cause__ or one.__context__]
