"""The HTTP client: a GET of one file from some byte on, over a line that another thread can cut at any moment.

Ranges follow RFC 9110, section 14; redirects are followed here, so that each address gets only its own validator and
the token goes to the first address's origin alone.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from tts_core.models.download_faults import NetTimeout, NotAHub, RemoteChanged, SizeMismatch, SourceFault
from tts_core.models.downloads.http_faults import HTTP_ERRORS, ask_fault, body_fault, status_fault
from tts_core.models.downloads.hub import Remote
from tts_core.models.downloads.transfer.journal import is_strong

READ_BYTES = 256 << 10
"""The most bytes read at a time; a slow line gives as many as have come."""
_MOST_REDIRECTS = 8
_REDIRECTS = {301, 302, 303, 307, 308}
_CONTENT_RANGE = re.compile(r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18})", re.IGNORECASE)
_PEEK_BYTES = 512
_SHORT = {str(length) for length in range(4096)}


class RangesUnusable(NotAHub):
    """The server answered a range with something that can't be one; a plain GET may still work."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for bytes of one file."""

    file: str
    """The file's name, for messages."""
    size: int
    """The size of the whole file, bytes."""
    sha256: str | None
    start: int = 0
    end: int | None = None
    """The byte after the last one wanted; None for all that follow. `start` 0 with None asks for no range."""

    @property
    def is_ranged(self) -> bool:
        return self.start > 0 or self.end is not None


class Body:
    """An answer that fits the request; its bytes come by `read`."""

    def __init__(self, response: requests.Response, start: int, address: str, source: str) -> None:
        self.start = start
        """The place of the first byte in the file: the requested one, or 0 where the whole file comes."""
        self.address = address
        """The address that sent it, without query."""
        self.was_validated = "If-Range" in response.request.headers
        """Whether the request held the address's earlier ETag: a part comes only if that is still its ETag."""
        self._raw = response.raw
        self._decode = bool(response.headers.get("Content-Encoding"))
        self._source = source
        etag = response.headers.get("ETag", "")
        self.etag = etag if is_strong(etag) else ""

    def read(self) -> bytes:
        """The bytes that have come, at most READ_BYTES; b"" at the end. Raises SourceFault."""
        try:
            data: bytes = self._raw.read1(READ_BYTES, decode_content=self._decode)
        except HTTP_ERRORS as error:
            fault = body_fault(error, self._source)
        else:
            return data
        raise fault

    def close(self) -> None:
        self._raw.close()


class Line:
    """A client of one exchange at a time; keeps connections for the next. Any thread may `cut`, one does the rest."""

    def __init__(self, connect_s: float, silence_s: float) -> None:
        self._timeout = (connect_s, silence_s)
        self._lock = threading.Lock()
        self._sockets: list[Any] = []
        self._is_cut = False
        self._session = requests.Session()
        self._session.auth = _no_netrc
        self._session.headers.update({"User-Agent": "tts-studio", "Accept-Encoding": "identity", "Accept": "*/*"})
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(self._watch))

    @property
    def is_cut(self) -> bool:
        return self._is_cut

    def cut(self) -> None:
        """End whatever the line waits for; it is of no use afterwards."""
        with self._lock:
            self._is_cut = True
            for kept in self._sockets:
                _shut(kept)

    def close(self) -> None:
        self._session.close()

    def open(self, remote: Remote, ask: Ask, etag: Callable[[str], str | None]) -> Body:
        """Ask for bytes. `etag` returns the ETag that an address gave before.

        Raises SourceFault: RangesUnusable where a plain GET may work, else the faults of http_faults.
        """
        first, url = _origin(remote.url), remote.url
        for hop in range(_MOST_REDIRECTS):
            address = url.partition("?")[0].partition("#")[0]
            headers = dict(remote.headers) if _origin(url) == first else {}
            if ask.is_ranged:
                headers["Range"] = f"bytes={ask.start}-{'' if ask.end is None else ask.end - 1}"
                if known := etag(address):
                    headers["If-Range"] = known
            response = self._get(url, headers, remote.source)
            try:
                _check_announced(response.headers, ask, remote.source)
                if response.status_code not in _REDIRECTS:
                    start = _check(response, ask, remote.source, redirected=hop > 0)
                    return Body(response, start, address, remote.source)
                url = _next(url, response.headers.get("Location", ""), remote.source)
            except SourceFault:
                response.close()
                raise
            _finish(response)
        raise NotAHub(source=remote.source)

    def _get(self, url: str, headers: Mapping[str, str], source: str) -> requests.Response:
        session = self._session
        try:
            request = session.prepare_request(requests.Request("GET", url, headers=dict(headers)))
            # session.send is of no use here: it reads redirects to their end and works out the next request by itself.
            found = session.merge_environment_settings(url, {}, True, None, None)
            verify, proxies = found["verify"] or True, found["proxies"]
            adapter = session.get_adapter(url)
            response = adapter.send(request, stream=True, timeout=self._timeout, verify=verify, proxies=proxies)
        except HTTP_ERRORS as error:
            fault = ask_fault(error, source)
        else:
            if not self._is_cut:  # else these may be half the headers
                return response
            response.close()
            fault = NetTimeout(source=source)
        raise fault

    def _watch(self, connected: Any) -> None:
        with self._lock:
            self._sockets = [*(kept for kept in self._sockets if kept.fileno() >= 0), connected]
            if self._is_cut:
                _shut(connected)


class HttpClient:
    """The lines of one job; those that worked are kept for the next file. Thread-safe."""

    def __init__(self, *, connect_s: float = 10.0, silence_s: float = 12.0) -> None:
        """`connect_s` is the longest wait for a connection, `silence_s` for the next bytes of an answer."""
        self._timeout = (connect_s, silence_s)
        self._lock = threading.Lock()
        self._idle: list[Line] = []

    def take(self) -> Line:
        with self._lock:
            return self._idle.pop() if self._idle else Line(*self._timeout)

    def give_back(self, line: Line) -> None:
        """Keep a line for the next file; only between exchanges."""
        if line.is_cut:
            line.close()
            return
        with self._lock:
            self._idle.append(line)

    def close(self) -> None:
        with self._lock:
            for line in self._idle:
                line.close()
            self._idle.clear()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Adapter(HTTPAdapter):
    """An adapter that hands out each new connection's socket, by which alone another thread can end a wait."""

    def __init__(self, watch: Callable[[Any], None]) -> None:
        self._pools = {
            "http": _watched(urllib3.HTTPConnectionPool, watch),
            "https": _watched(urllib3.HTTPSConnectionPool, watch),
        }
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False) -> None:  # type: ignore[override]
        super().init_poolmanager(connections, maxsize, block)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str) -> Any:  # type: ignore[override]
        manager = super().proxy_manager_for(proxy)
        if not proxy.lower().startswith("socks"):  # SOCKS proxies have connections of their own
            manager.pool_classes_by_scheme = self._pools
        return manager


def _watched(pool: type[Any], watch: Callable[[Any], None]) -> type[Any]:
    class WatchedConnection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        def connect(self) -> None:
            super().connect()
            watch(self.sock)

    class WatchedPool(pool):  # type: ignore[misc]
        ConnectionCls = WatchedConnection

    return WatchedPool


def _shut(connected: Any) -> None:
    plain = getattr(connected, "socket", connected)  # urllib3's TLS inside TLS wraps a socket
    with contextlib.suppress(OSError):  # over already
        # Not SSLSocket's shutdown: it drops the TLS state while a reader waits, which then takes ciphertext for bytes.
        socket.socket.shutdown(plain, socket.SHUT_RDWR)


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An `auth` for requests that keeps it from sending the logins of ~/.netrc."""
    return request


def _finish(response: requests.Response) -> None:
    """Read a short rest, so that the connection can be used again."""
    if response.headers.get("Content-Length", "") in _SHORT:
        with contextlib.suppress(*HTTP_ERRORS):
            response.raw.read()
    response.close()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _next(url: str, location: str, source: str) -> str:
    """The address a redirect leads to. Raises NotAHub where it is none, or leads from https to plain http."""
    try:
        target = urljoin(url, location)
        wrong = not location or urlsplit(target).scheme not in ("http", "https")
    except ValueError:
        raise NotAHub(source=source) from None
    if wrong or (urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http"):
        raise NotAHub(source=source)
    return target


def _check_announced(headers: Mapping[str, str], ask: Ask, source: str) -> None:
    """Compare a large file's sha256 and size, which Hugging Face announces before it sends a byte."""
    sha256 = headers.get("X-Linked-Etag", "").strip('"').lower()
    if ask.sha256 and re.fullmatch(r"[0-9a-f]{64}", sha256) and sha256 != ask.sha256:
        raise RemoteChanged(source=source, file=ask.file)
    size = headers.get("X-Linked-Size", "")
    if size.isascii() and size.isdigit() and int(size) != ask.size:
        raise SizeMismatch(source=source, file=ask.file)


def _check(response: requests.Response, ask: Ask, source: str, *, redirected: bool) -> int:
    """The place of the body's first byte. Raises SourceFault for an answer that can't be the file's bytes."""
    status, headers = response.status_code, response.headers
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if status == 416 and ask.is_ranged:
        total = headers.get("Content-Range", "").rpartition("/")[2]
        if total.isascii() and total.isdigit() and int(total) != ask.size:
            raise SizeMismatch(source=source, file=ask.file)
        raise RangesUnusable(source=source)
    if status == 206 and ask.is_ranged:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if found and int(found[3]) != ask.size:
            raise SizeMismatch(source=source, file=ask.file)
        if not found or int(found[1]) != ask.start or int(found[2]) < ask.start or encoding != "identity":
            raise RangesUnusable(source=source)
        return ask.start
    if status != 200:
        raise status_fault(status, headers, source, redirected=redirected)
    if encoding not in ("identity", "gzip", "deflate"):
        raise NotAHub(source=source)
    length = headers.get("Content-Length", "") if encoding == "identity" else ""
    _check_kind(response, ask, int(length) if length.isascii() and length.isdigit() else None, source)
    return 0


def _check_kind(response: requests.Response, ask: Ask, length: int | None, source: str) -> None:
    """Raise NotAHub for a page or message in the file's place (a login page, a hub's "Success": false), else
    SizeMismatch for another length."""
    if length == ask.size:
        return
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_json, wants_json = "json" in kind, ask.file.endswith(".json")
    if kind in ("text/html", "application/xhtml+xml") or (is_json and not wants_json):
        raise NotAHub(source=source)
    if length is None:
        return
    try:
        start = response.raw.read(_PEEK_BYTES, decode_content=False).lstrip(b"\xef\xbb\xbf \t\r\n")
    except HTTP_ERRORS:
        start = b""
    is_message = is_json and any(word in start for word in (b'"Success"', b'"error"', b'"Code"'))
    if start.startswith(b"<") or is_message:
        raise NotAHub(source=source)
    raise SizeMismatch(source=source, file=ask.file)
