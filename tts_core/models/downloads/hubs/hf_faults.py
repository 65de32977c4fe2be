"""Faults for huggingface_hub's failures, by its own types, the answer's status and the causes; never by text.

huggingface_hub uses requests (up to 0.36), httpx (1.x) or httpx2 (2.x). Their errors share class names and have the
same causes from the standard library; so this module names no HTTP library.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus

from tts_core.models.download_faults import (
    DownloadFault,
    Gated,
    NetConnect,
    NetDns,
    NetTimeout,
    NotAHub,
    NotFoundThere,
    Offline,
    ProxyError,
    RevisionNotFound,
    SourceFault,
    TlsVerify,
)
from tts_core.models.downloads.http_faults import status_fault
from tts_core.models.downloads.hubs.listings import host_of

_TIMEOUTS = frozenset({"TimeoutException", "Timeout", "ConnectTimeoutError", "ReadTimeoutError"})
_CONNECTIONS = frozenset({"NetworkError", "ProtocolError", "ConnectionError", "ChunkedEncodingError"})
_CUT_HANDSHAKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def hf_fault(error: Exception, endpoint: str) -> DownloadFault:
    """The fault behind whatever an HfApi call raised."""
    from huggingface_hub import errors  # noqa: PLC0415 - loaded already by the call that failed

    if isinstance(error, errors.OfflineModeIsEnabled):
        return Offline()
    if not isinstance(error, errors.HfHubHTTPError):
        return _unanswered(error, endpoint)
    status, headers, source = error.response.status_code, error.response.headers, host_of(endpoint)
    kinds: tuple[tuple[type[Exception], type[SourceFault]], ...] = (
        (errors.GatedRepoError, Gated),
        (errors.RevisionNotFoundError, RevisionNotFound),
        (errors.EntryNotFoundError, NotFoundThere),
    )
    for kind, fault in kinds:
        if isinstance(error, kind):
            return fault(source=source)
    # The hub answers 401 for repositories that do not exist, too; a header says which it means.
    is_certain = status != HTTPStatus.UNAUTHORIZED or "X-Error-Code" in headers
    if isinstance(error, errors.RepositoryNotFoundError) and is_certain:
        return NotFoundThere(source=source)
    return status_fault(status, headers, source)


def _unanswered(error: Exception, endpoint: str) -> SourceFault:
    """The fault where no whole answer came, or one that no hub sends."""
    chain = list(_chain(error))
    names = {kind.__name__ for link in chain for kind in type(link).__mro__}
    source = host_of(endpoint)
    if any(isinstance(link, ssl.SSLError) and not isinstance(link, _CUT_HANDSHAKE) for link in chain):
        return TlsVerify(source=source)
    if "ProxyError" in names:
        return ProxyError(source=source)
    is_no_name = any(isinstance(link, socket.gaierror) for link in chain)
    is_refused = is_no_name or "NewConnectionError" in names
    if not is_refused and (names & _TIMEOUTS or any(isinstance(link, TimeoutError) for link in chain)):
        return NetTimeout(source=source)
    if is_refused or names & _CONNECTIONS or any(_is_of_the_network(link) for link in chain):
        if _has_proxy(endpoint):  # httpx reports a dead proxy as a dead source
            return ProxyError(source=source)
        return NetDns(source=source) if is_no_name else NetConnect(source=source)
    return NotAHub(source=source)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes; an error that httpcore raises "from None" still has them as its context."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _is_of_the_network(error: BaseException) -> bool:
    """Whether an error is the network's. requests' errors are OSErrors, too, but only the standard library's have a
    number."""
    return isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.errno is not None)


def _has_proxy(url: str) -> bool:
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415 - only when something failed

    return bool(select_proxy(url, get_environ_proxies(url)))
