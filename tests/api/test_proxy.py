"""Requests that come through a proxy: whose word counts, and what it changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Scope

from tests.api.raw_http import RawAnswer, RawServer
from tests.serving import Serve
from tts_core.api.protection.proxy import as_asked, route_path
from tts_core.api.protection.request_guard import RequestGuard
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.environ import Environ
from tts_core.platform.settings.server import ROOT_VARIABLE, TRUSTED_VARIABLE, ProxySettings
from tts_core.platform.settings.studio import Settings

PUBLIC = "speech.example.com"


async def tell(request: Request) -> Response:
    seen = [name for name in request.headers if name.startswith("x-forwarded") or name == "forwarded"]
    client = request.client.host if request.client else None
    return JSONResponse({"url": str(request.url), "client": client, "said": seen})


def server(settings: Settings, serve: Serve, environ: dict[str, str]) -> RawServer:
    app = Starlette(
        routes=[Route("/tell", tell, methods=["GET", "POST"]), Mount("/zh", Starlette(routes=[Route("/", tell)]))]
    )
    proxies = ProxySettings.from_env(Environ(environ))
    hosts = (*settings.allowed_hosts, PUBLIC)
    app.add_middleware(RequestGuard, settings=dataclasses.replace(settings, proxies=proxies, allowed_hosts=hosts))
    return RawServer(serve(app))


def ask(server: RawServer, *headers: str, path: str = "/tell") -> Any:
    answer = server.ask("GET", path, headers)
    assert answer.status == 200, answer
    return answer.json()


def test_a_proxy_on_this_machine_tells_how_it_was_asked(settings: Settings, serve: Serve) -> None:
    told = ask(
        server(settings, serve, {}),
        "Host: 127.0.0.1:7860",
        f"X-Forwarded-Host: {PUBLIC}",
        "X-Forwarded-Proto: https",
        "X-Forwarded-For: 9.9.9.9, 203.0.113.7, 127.0.0.1",
        "X-Forwarded-Prefix: /tts/",
    )
    assert told == {"url": f"https://{PUBLIC}/tts/tell", "client": "203.0.113.7", "said": []}


def test_whoever_is_not_trusted_is_not_believed_and_nobody_else_reads_it(settings: Settings, serve: Serve) -> None:
    told = ask(
        server(settings, serve, {TRUSTED_VARIABLE: "10.0.0.0/8"}),
        "Host: 127.0.0.1:7860",
        f"X-Forwarded-Host: {PUBLIC}",
        "X-Forwarded-Proto: https",
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Prefix: /tts",
        "Forwarded: for=203.0.113.7",
    )
    assert told == {"url": "http://127.0.0.1:7860/tell", "client": "", "said": []}, "nobody at this machine"


def test_a_rebound_page_gains_nothing_by_forwarded_headers(settings: Settings, serve: Serve) -> None:
    raw = server(settings, serve, {})

    def detail(answer: RawAnswer) -> tuple[int, str]:
        return answer.status, answer.json()["detail"]

    forged = raw.ask("GET", "/tell", ["Host: evil.example:7860", "X-Forwarded-Host: 127.0.0.1:7860"])
    assert detail(forged) == (400, "host_not_allowed")
    unknown = raw.ask("GET", "/tell", ["Host: 127.0.0.1:7860", "X-Forwarded-Host: evil.example"])
    assert detail(unknown) == (400, "host_not_allowed")
    foreign = ["Host: 127.0.0.1:7860", f"X-Forwarded-Host: {PUBLIC}", "Origin: https://evil.example"]
    assert detail(raw.ask("POST", "/tell", foreign)) == (403, "origin_not_allowed")
    own = ["Host: 127.0.0.1:7860", f"X-Forwarded-Host: {PUBLIC}", f"Origin: https://{PUBLIC}"]
    assert raw.ask("POST", "/tell", [*own, "X-Forwarded-Proto: https", "Content-Length: 0"]).status == 200


@pytest.mark.parametrize("path", ["/zh/", "/tts/zh/"])
def test_a_root_path_holds_whether_or_not_the_proxy_cuts_it_off(settings: Settings, serve: Serve, path: str) -> None:
    told = ask(server(settings, serve, {ROOT_VARIABLE: "/tts"}), f"Host: {PUBLIC}", path=path)
    assert told["url"] == f"http://{PUBLIC}/tts/zh/"


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b", "/a b", "tts", "https://evil.example"])
def test_a_prefix_that_is_no_path_is_left_out(settings: Settings, serve: Serve, prefix: str) -> None:
    told = ask(server(settings, serve, {}), f"Host: {PUBLIC}", f"X-Forwarded-Prefix: {prefix}")
    assert told["url"] == f"http://{PUBLIC}/tell"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["127.0.0.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        (["127.0.0.1", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, unknown"], ""),
        (["203.0.113.7, _hidden"], ""),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["10.0.0.2"], "10.0.0.2"),
        (["127.0.0.1"], ""),
        (["127.0.0.1, 127.0.0.1"], ""),
        (["127.0.0.1:80"], ""),
        (["[::1]:80"], ""),
        (["::ffff:127.0.0.1"], ""),
        (["203.0.113.7, ::1"], ""),
        ([""], ""),
        ([], "127.0.0.1"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_is_the_clients(chain: list[str], client: str) -> None:
    settings = ProxySettings.from_env(Environ({TRUSTED_VARIABLE: "127.0.0.1,10.0.0.0/8"}))
    headers = [(b"x-forwarded-for", value.encode()) for value in chain]
    scope: Scope = {"type": "http", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)}
    assert as_asked(scope, settings)["client"][0] == client


@pytest.mark.parametrize("chain", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "unknown", "10.0.0.2, 127.0.0.1"])
def test_a_proxy_of_another_machine_speaks_for_nobody_at_this_one(chain: str) -> None:
    settings = ProxySettings.from_env(Environ({TRUSTED_VARIABLE: "127.0.0.1,10.0.0.0/8"}))
    headers = [(b"x-forwarded-for", chain.encode())]
    scope: Scope = {"type": "http", "path": "/", "headers": headers, "client": ("10.0.0.2", 1)}
    assert as_asked(scope, settings)["client"][0] == "10.0.0.2"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_trusted_by_default(address: str) -> None:
    assert ProxySettings().trusts(address)
    assert not ProxySettings.from_env(Environ({TRUSTED_VARIABLE: "none"})).trusts(address)


@pytest.mark.parametrize("address", ["", "testclient", "10.0.0.1", "::2"])
def test_nobody_else_is(address: str) -> None:
    assert not ProxySettings().trusts(address)


@pytest.mark.parametrize(
    "environ", [{ROOT_VARIABLE: "tts"}, {ROOT_VARIABLE: "/a/../b"}, {TRUSTED_VARIABLE: "proxy.example"}]
)
def test_settings_that_cannot_be_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting):
        ProxySettings.from_env(Environ(environ))


@pytest.mark.parametrize(
    ("path", "root", "route"),
    [("/tts/ws", "/tts", "/ws"), ("/tts", "/tts", "/"), ("/ttsx/ws", "/tts", "/ttsx/ws"), ("/ws", "", "/ws")],
)
def test_routes_are_compared_without_what_the_proxy_puts_before_them(path: str, root: str, route: str) -> None:
    assert route_path({"path": path, "root_path": root}) == route
