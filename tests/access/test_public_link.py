"""The public link: what comes by it, how it ends, and each way in which there is none."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from tests import ROOT
from tests.access import fake_helper
from tests.conftest import SOON_S, wait_until
from tests.serving import Serve
from tts_core.access.accounts import AccountsFile
from tts_core.access.faults import (
    HelperDamaged,
    HelperMissing,
    HelperUnsupported,
    HelperUnusable,
    ShareFailed,
    ShareServerSilent,
    TunnelEnded,
    TunnelFailed,
    TunnelSilent,
    WrongPassword,
)
from tts_core.access.login import LoginRule, LoginService
from tts_core.access.public_link import GUEST, Link, LinkState, PublicLink
from tts_core.access.share_server import Sources
from tts_core.access.visitor import Role
from tts_core.platform.settings.server import ShareSettings

NOWHERE = "http://127.0.0.1:9/nothing"
OWN_SERVER = "127.0.0.1:7000"


@dataclass
class Sharing:
    link: PublicLink
    login: LoginService
    told: SimpleQueue[Link]

    def open(self, port: int = 9) -> Link:
        """What came of it."""
        self.link.open(port, self.told.put)
        return self.told.get(timeout=SOON_S)


Share = Callable[..., Sharing]


@pytest.fixture
def helper(tmp_path: Path) -> Callable[[str], Path]:
    def make(manner: str) -> Path:
        file = tmp_path / f"helper-{manner}"
        start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.access.fake_helper import main"
        file.write_text(f"#!{sys.executable}\n{start}; main({manner!r})\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    return make


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Share]:
    with ExitStack() as links:

        def make(settings: ShareSettings, sources: Sources | None = None, ready_s: float = SOON_S) -> Sharing:
            login = LoginService(AccountsFile(tmp_path / "accounts.json"), LoginRule.OTHERS)
            known = sources or Sources(NOWHERE, tmp_path / "frpc" / "frpc", "0" * 64, NOWHERE)
            link = PublicLink(settings, login, tmp_path / "cache" / "ca.pem", lambda: known, ready_s)
            links.callback(link.close)
            return Sharing(link, login, SimpleQueue())

        yield make


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_the_link_leads_here_and_ends_when_it_is_closed(
    helper: Callable[[str], Path], share: Share, serve: Serve
) -> None:
    async def show(request: Request) -> JSONResponse:
        return JSONResponse({"host": request.headers["host"], "for": request.headers["x-forwarded-for"]})

    port = urlsplit(serve(Starlette(routes=[Route("/", show)]))).port
    sharing = share(ShareSettings(OWN_SERVER, helper("works")))
    assert port is not None
    now = sharing.open(port)
    address = urlsplit(now.url)
    assert (now.state, address.hostname, sharing.link.host) == (LinkState.OPEN, fake_helper.HOST, fake_helper.HOST)
    assert sharing.link.leads(port)
    assert not sharing.link.leads(port + 1)
    there = f"http://127.0.0.1:{address.port}"
    answer = httpx.get(there, headers={"Host": fake_helper.HOST}, trust_env=False, timeout=SOON_S)
    assert answer.json() == {"host": fake_helper.HOST, "for": fake_helper.VISITOR}
    token = sharing.login.log_in(GUEST, now.password, "x")
    sharing.link.close()
    assert (sharing.link.now, sharing.link.host) == (Link(), "")
    assert sharing.link.leads(port), "what comes in there still comes from outside"
    assert sharing.login.by_session(token, "x") is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(there, trust_env=False, timeout=SOON_S)


def test_a_guest_is_made_only_where_nobody_has_an_account(
    tmp_path: Path, share: Share, helper: Callable[[str], Path]
) -> None:
    AccountsFile(tmp_path / "accounts.json").add_user("Anna", "correct horse", Role.ADMIN)
    sharing = share(ShareSettings(OWN_SERVER, helper("works")))
    sharing.link.open(9, sharing.told.put)
    assert sharing.link.now.password == ""
    with pytest.raises(WrongPassword):
        sharing.login.log_in(GUEST, "", "x")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
@pytest.mark.parametrize(
    ("manner", "kind", "said"),
    [
        ("refused", TunnelFailed, "token is wrong"),
        ("dies", TunnelFailed, "connection reset by peer"),
        ("silent", TunnelSilent, "login to server success"),
    ],
)
def test_a_tunnel_that_fails_says_what_the_helper_said(
    helper: Callable[[str], Path], share: Share, manner: str, kind: type[TunnelFailed], said: str
) -> None:
    sharing = share(ShareSettings(OWN_SERVER, helper(manner)), ready_s=5.0 if manner == "silent" else SOON_S)
    now = sharing.open()
    assert (now.state, type(now.error)) == (LinkState.FAILED, kind)
    assert now.error is not None
    if manner != "silent":  # a slow machine may not have come so far
        assert said in now.error.message
    assert OWN_SERVER in now.error.message
    with pytest.raises(WrongPassword):
        sharing.login.log_in(GUEST, now.password, "x")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_a_link_that_ends_by_itself_is_told(helper: Callable[[str], Path], share: Share) -> None:
    sharing = share(ShareSettings(OWN_SERVER, helper("works")))
    assert sharing.open().state is LinkState.OPEN
    tunnel = sharing.link._tunnel
    assert tunnel is not None
    tunnel._process.kill()  # as when the machine runs out of memory
    ended = sharing.told.get(timeout=SOON_S)
    assert (ended.state, type(ended.error), sharing.link.host) == (LinkState.FAILED, TunnelEnded, "")


def failure(sharing: Sharing) -> ShareFailed:
    error = sharing.open().error
    assert error is not None
    return error


def test_a_helper_that_cant_be_run_is_named(tmp_path: Path, share: Share) -> None:
    (tmp_path / "frpc").write_bytes(b"not a program")
    assert isinstance(failure(share(ShareSettings(OWN_SERVER, tmp_path / "frpc"))), HelperUnusable)


def test_a_missing_helper_says_where_it_belongs_and_how_to_know_the_right_one(tmp_path: Path, share: Share) -> None:
    error = failure(share(ShareSettings(OWN_SERVER)))
    assert isinstance(error, HelperMissing)
    for part in (NOWHERE, str(tmp_path / "frpc" / "frpc"), "0" * 64, "--share-helper"):
        assert part in error.message


def test_a_machine_without_a_helper_is_named(tmp_path: Path, share: Share) -> None:
    sources = Sources(NOWHERE, tmp_path / "frpc", "", NOWHERE)
    assert isinstance(failure(share(ShareSettings(OWN_SERVER), sources)), HelperUnsupported)


def test_another_file_in_the_helpers_place_is_not_run(tmp_path: Path, share: Share) -> None:
    file = tmp_path / "frpc"
    file.write_text(f"#!/bin/sh\ntouch {tmp_path / 'was-run'}\n", encoding="utf-8")
    file.chmod(0o755)
    sources = Sources(NOWHERE, file, "0" * 64, NOWHERE)
    assert isinstance(failure(share(ShareSettings(OWN_SERVER), sources)), HelperDamaged)
    assert not (tmp_path / "was-run").exists()


@pytest.fixture
def internet(serve: Serve, helper: Callable[[str], Path], tmp_path: Path) -> Sources:
    """Where the helper and the share server's name come from, here on loopback."""
    program = helper("works").read_bytes()

    async def give(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(program)

    async def name(_request: Request) -> JSONResponse:
        return JSONResponse([{"host": "share.example", "port": 7000, "root_ca": "CERTIFICATE"}])

    async def login_first(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("<html>Log in to this network</html>")

    routes = [Route("/frpc", give), Route("/v3", name), Route("/portal", login_first)]
    url = serve(Starlette(routes=routes))
    return Sources(f"{url}/frpc", tmp_path / "cached" / "frpc", hashlib.sha256(program).hexdigest(), f"{url}/v3")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_helper_and_server_are_fetched_and_the_link_is_https(internet: Sources, share: Share, tmp_path: Path) -> None:
    now = share(ShareSettings(), internet).open()
    assert now.error is None
    assert now.url.startswith(f"https://{fake_helper.HOST}")
    assert (tmp_path / "cache" / "ca.pem").read_text(encoding="utf-8") == "CERTIFICATE"
    wait_until(lambda: [path.name for path in internet.helper_file.parent.iterdir()] == ["frpc"])


def test_a_network_that_answers_something_else_is_told(internet: Sources, share: Share, tmp_path: Path) -> None:
    portal = internet.directory_address.replace("/v3", "/portal")
    assert isinstance(failure(share(ShareSettings(), replace(internet, directory_address=portal))), ShareServerSilent)
    elsewhere = replace(internet, helper_address=portal, helper_file=tmp_path / "other" / "frpc")
    error = failure(share(ShareSettings(OWN_SERVER), elsewhere))
    assert isinstance(error, HelperMissing)
    assert not elsewhere.helper_file.exists(), "what is not the helper never gets its name"
