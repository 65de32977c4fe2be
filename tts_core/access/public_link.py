"""Use case: the public link. It begins beside the running studio, which goes on whatever becomes of the link."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit, urlunsplit

from tts_core.access.faults import ShareFailed, TunnelEnded
from tts_core.access.login import LoginService
from tts_core.access.share_server import Sources, find_helper, find_server, gradio_sources
from tts_core.access.tunnel import READY_S, Tunnel
from tts_core.access.visitor import Role
from tts_core.platform.settings.server import ShareSettings

GUEST = "guest"
"""The name of the account that is made for this run where no other account can be used."""

logger = logging.getLogger(__name__)


class LinkState(str, Enum):
    OFF = "off"
    STARTING = "starting"
    OPEN = "open"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Link:
    """The public link at one moment."""

    state: LinkState = LinkState.OFF
    url: str = ""
    password: str = ""
    """The password of the user GUEST; "" where people have accounts of their own."""
    error: ShareFailed | None = None


class PublicLink:
    """The public link: begun, observed and ended; thread-safe."""

    def __init__(
        self,
        settings: ShareSettings,
        login: LoginService,
        certificate_file: Path,
        sources: Callable[[], Sources] = gradio_sources,
        ready_s: float = READY_S,
    ) -> None:
        """`certificate_file`: where the certificate of Gradio's share server is put. `ready_s`: the seconds that a
        share server has to give a link."""
        self._settings = settings
        self._login = login
        self._certificate_file = certificate_file
        self._sources = sources
        self._ready_s = ready_s
        self._lock = threading.Lock()
        self._now = Link()
        self._tunnel: Tunnel | None = None
        self._port: int | None = None

    @property
    def now(self) -> Link:
        return self._now

    @property
    def host(self) -> str:
        """The host name in requests that come by the link; "" while there is none."""
        return (urlsplit(self._now.url).hostname or "") if self._now.state is LinkState.OPEN else ""

    def leads(self, port: int | None) -> bool:
        """Whether requests at that port come by the link; also after its end."""
        return port is not None and port == self._port

    def open(self, port: int, report: Callable[[Link], None]) -> None:
        """Begin, in a thread of its own; `report` is called with the outcome. The link leads to `port` of this machine,
        where nothing but the helper must be able to come in."""
        with self._lock:
            self._port = port
            password = "" if self._login.has_accounts() else secrets.token_urlsafe(12)
            if password:
                self._login.add(GUEST, password, Role.GUEST)
            self._now = Link(LinkState.STARTING, password=password)
        Thread(target=self._begin, args=(port, report), name="share", daemon=True).start()

    def close(self) -> None:
        """End the link and forget its guest; what comes in at its port later still comes from outside."""
        with self._lock:
            tunnel, self._tunnel, self._now = self._tunnel, None, Link()
        self._login.remove(GUEST)
        if tunnel is not None:
            tunnel.close()

    def _begin(self, port: int, report: Callable[[Link], None]) -> None:
        try:
            self._lead(port, report)
        except ShareFailed as error:
            logger.warning("%s", error.message)
            self._fail(error, report)
        except Exception as error:  # the thread's edge: the studio goes on without a link
            logger.exception("The public link failed")
            self._fail(ShareFailed(reason=type(error).__name__), report)

    def _lead(self, port: int, report: Callable[[Link], None]) -> None:
        """Start the helper and wait for its link. Raises ShareFailed."""
        sources = self._sources()
        helper = find_helper(self._settings, sources)
        server = find_server(self._settings, sources, self._certificate_file)
        tunnel = Tunnel.start(helper, server, port)
        with self._lock:
            if self._now.state is not LinkState.STARTING:  # stopped meanwhile
                tunnel.close()
                return
            self._tunnel = tunnel
        url = tunnel.link(self._ready_s)
        with self._lock:
            if self._tunnel is not tunnel:
                return
            self._now = replace(self._now, state=LinkState.OPEN, url=_address(url, is_https=server.is_https))
        logger.info("There is a public link")
        report(self._now)
        tunnel.wait(lambda: self._ended(tunnel, server.address, report))

    def _ended(self, tunnel: Tunnel, server: str, report: Callable[[Link], None]) -> None:
        if self._tunnel is tunnel:  # else it was closed here
            self._fail(TunnelEnded(server=server, last_line=tunnel.last_line), report)

    def _fail(self, error: ShareFailed, report: Callable[[Link], None]) -> None:
        with self._lock:
            if self._now.state is LinkState.OFF:
                return
            tunnel, self._tunnel = self._tunnel, None
            self._now = Link(LinkState.FAILED, error=error)
        self._login.remove(GUEST)
        if tunnel is not None:
            tunnel.close()
        report(self._now)


def _address(url: str, *, is_https: bool) -> str:
    parts = urlsplit(url)
    return urlunsplit(("https" if is_https else parts.scheme, parts.netloc, "/", "", ""))
