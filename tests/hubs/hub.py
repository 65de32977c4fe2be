"""One hub: what it publishes, its two origins, and the signed addresses between them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.certificates import self_signed
from tests.hubs.content import StoredFile
from tests.hubs.faults import Fault, FaultBoard
from tests.hubs.http_server import Call, FileBody, Link, Origin, Reply
from tests.hubs.models import PublishedModel
from tests.hubs.request_log import RequestLog


@dataclass(frozen=True, slots=True)
class Repository:
    id: str
    """owner/name"""
    revision: str
    files: Mapping[str, StoredFile]


class LoopbackHub(ABC):
    """Start with `with`, or start() and stop()."""

    def __init__(self, hub_id: str) -> None:
        self.id = hub_id
        self.faults = FaultBoard()
        self.log = RequestLog()
        self.link = Link()
        self.url_seconds = 3600.0
        """How long a signed address is good; 0 or less makes it expired from the start."""
        self.redirects_large_files = True
        self.repositories: dict[str, Repository] = {}
        self._secret = secrets.token_bytes(16)
        self._hub = Origin((hub_id, "hub"), self._route, self.faults, self.log, self.link)
        self._cdn = Origin((hub_id, "cdn"), self._cdn_route, self.faults, self.log, self.link)

    @property
    def endpoint(self) -> str:
        return self._hub.url

    @property
    def cdn(self) -> str:
        return self._cdn.url

    def publish(self, model: PublishedModel, *, revision: str | None = None) -> None:
        """Anew under the same name replaces what was there."""
        repository = Repository(model.repository, revision or model.revision, model.files)
        self.repositories[repository.id] = repository

    def start(self, *, tls: bool = False) -> None:
        """`tls`: with a certificate that nobody signed."""
        self._hub.tls = self_signed() if tls else None
        self._hub.start()
        self._cdn.start()

    def stop(self) -> None:
        """Connections to its ports are refused from now on; start() takes the same ports again."""
        self._hub.stop()
        self._cdn.stop()

    def stop_cdn(self) -> None:
        self._cdn.stop()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _route(self, call: Call) -> Reply:
        """What a sound hub answers."""

    def _listing_fault(self) -> Fault:
        """Peeked at by listings, which bend their own body; the rest of it the server does."""
        return self.faults.peek("listing", "")

    def _signed(self, file: StoredFile, path: str, repository: str) -> str:
        expires = f"{time.time() + self.url_seconds:.3f}"
        where = f"/cdn/{repository}/{file.sha256}/{quote(path)}"
        return f"{self._cdn.url}{where}?Expires={expires}&Signature={self._signature(where, expires)}"

    def _signature(self, where: str, expires: str) -> str:
        return hmac.new(self._secret, f"{where} {expires}".encode(), hashlib.sha256).hexdigest()

    def _cdn_route(self, call: Call) -> Reply:
        parts = urlsplit(call.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        names = parts.path.split("/", 5)
        if len(names) < 6 or names[1] != "cdn":
            return Reply(404)
        repository, sha256 = f"{names[2]}/{names[3]}", names[4]
        known = self.repositories.get(repository)
        found = [(name, file) for name, file in (known.files if known else {}).items() if file.sha256 == sha256]
        if not found:
            return Reply(404, stage="bytes", repository=repository)
        name, file = next((pair for pair in found if quote(pair[0]) == names[5]), found[0])
        expires = query.get("Expires", "0")
        is_signed = hmac.compare_digest(self._signature(parts.path, expires), query.get("Signature", ""))
        if not is_signed or float(expires) < time.time():
            body = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            return Reply(403, {"Content-Type": "application/xml"}, body, "bytes", repository, name)
        # Storage has validators of its own, not the file's sha256.
        etag = f'"{hashlib.md5(f"{self.id} {sha256}".encode()).hexdigest()}-12"'
        headers_out = {"Content-Type": "application/octet-stream"}
        return Reply(200, headers_out, FileBody(file.source, file.size, etag), "bytes", repository, name)
