"""Who may ask and how much: DNS rebinding, other sites' pages, endless bodies, and what is said when things break."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocket

from tests.api.raw_http import RawAnswer, RawServer
from tests.api.watchers import socket_of
from tests.serving import Serve, serving
from tts_core.api.protection import request_guard
from tts_core.api.protection.request_guard import (
    MAX_DRAINED_BYTES,
    MAX_JSON_VALUES,
    SECURITY_HEADERS,
    RequestGuard,
)
from tts_core.platform.settings.studio import Limits, Settings

OWN_PAGE = "http://127.0.0.1:7860"
NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
"""The one of RFC 6455."""
SECRET = "a text that nobody else may read"


async def count(request: Request) -> Response:
    received = 0
    async for piece in request.stream():
        received += len(piece)
    return JSONResponse({"received": received})


async def answer_unread(_request: Request) -> Response:
    return PlainTextResponse("fine")


async def tell_cookies(request: Request) -> Response:
    return JSONResponse(request.cookies)


async def boom(_request: Request) -> Response:
    raise KeyError(SECRET)


async def boom_midway(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise KeyError(SECRET)

    return StreamingResponse(pieces())


async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path_factory.mktemp("guarded"))})
    with serving(guarded_app(settings)) as url:
        yield RawServer(url)


def guarded_server(settings: Settings, serve: Serve) -> RawServer:
    return RawServer(serve(guarded_app(settings)))


def guarded_app(settings: Settings) -> Starlette:
    limits = Limits(max_body_bytes=1000, max_upload_bytes=5000)
    app = Starlette(
        routes=[
            Route("/count", count, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            Route("/unread", answer_unread, methods=["POST"]),
            Route("/boom", boom),
            Route("/cookies", tell_cookies),
            Route("/boom-midway", boom_midway),
            WebSocketRoute("/ws", greet),
        ]
    )
    app.add_middleware(RequestGuard, settings=dataclasses.replace(settings, limits=limits))
    return app


def get(server: RawServer, *headers: str, path: str = "/count") -> RawAnswer:
    return server.ask("GET", path, headers)


def detail(answer: RawAnswer) -> tuple[int, str]:
    """Status and code of a failure, whose envelope is complete."""
    failure = answer.json()
    assert failure.keys() == {"success", "detail", "message"}
    assert failure["success"] is False
    assert failure["message"]
    return answer.status, failure["detail"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost:1234", "[::1]", "[::1]:7860", "127.0.0.1:"])
def test_this_machines_names_are_answered_whatever_the_port(guarded: RawServer, host: str) -> None:
    assert get(guarded, f"Host: {host}").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7860",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example#@127.0.0.1",
        "127.0.0.1@evil.example",
        "127.0.0.1:80:80",
        "127.0.0.1:port",
        "127.0.0.1:123456",
        "[::1",
        "::1",
        "[::2]",
        "192.168.1.7",
        "0.0.0.0",
        "",
        "localhost, evil.example",
        "localhost/evil.example",
    ],
)
def test_a_rebound_name_gets_400(guarded: RawServer, host: str) -> None:
    assert detail(get(guarded, f"Host: {host}")) == (400, "host_not_allowed")


def test_a_request_without_a_host_or_with_two_is_refused(guarded: RawServer, settings: Settings) -> None:
    two = [("Host", "127.0.0.1"), ("Host", "evil.example")]
    assert get(guarded, "Accept: */*").status == 400
    assert get(guarded, *(f"{name}: {value}" for name, value in two)).status == 400
    # uvicorn refuses these by itself; other servers may not
    visitor = TestClient(guarded_app(settings), base_url=OWN_PAGE)
    for headers in (two, two[::-1], [("Host", "")]):
        assert visitor.get("/count", headers=headers).json()["detail"] == "host_not_allowed"


def test_a_listed_name_is_answered(settings: Settings, serve: Serve) -> None:
    listed = dataclasses.replace(settings, allowed_hosts=("studio.example", "[fd00::5]"))
    server = guarded_server(listed, serve)
    assert get(server, "Host: Studio.example:7860").status == 200
    assert get(server, "Host: [fd00::5]:7860").status == 200
    assert detail(get(server, "Host: 127.0.0.1")) == (400, "host_not_allowed")


def test_a_server_for_the_whole_network_answers_to_addresses_but_not_to_foreign_names(
    tmp_path: Path, serve: Serve
) -> None:
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path), "TTS_STUDIO_HOST": "0.0.0.0"})
    server = guarded_server(settings, serve)
    assert get(server, "Host: 192.168.1.7:7860").status == 200
    assert get(server, "Host: [fd00::7]").status == 200
    assert detail(get(server, "Host: evil.example")) == (400, "host_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [
        ["Origin: https://evil.example"],
        ["Origin: null"],
        ["Origin: http://localhost"],
        ["Origin: http://{host}.evil.example"],
        ["Origin: http://{host}/"],
        ["Origin: file://"],
        ["Origin: chrome-extension://{host}"],
        ["Origin: http://{host}", "Origin: https://evil.example"],
        ["Origin:"],
        ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: same-site"],
        ["Sec-Fetch-Site: cross-site", "Origin: http://{host}"],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_another_sites_page_can_change_nothing(guarded: RawServer, method: str, headers: list[str]) -> None:
    given = [header.replace("{host}", guarded.host) for header in headers]
    answer = guarded.ask(method, "/count", [f"Host: {guarded.host}", "Content-Length: 0", *given])
    assert detail(answer) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Origin: http://{host}"],
        ["Origin: http://{host}", "Sec-Fetch-Site: same-origin"],
        ["Sec-Fetch-Site: none"],
    ],
)
def test_programs_and_the_own_page_may_change_things(guarded: RawServer, headers: list[str]) -> None:
    given = [header.replace("{host}", guarded.host) for header in headers]
    assert guarded.ask("POST", "/count", [f"Host: {guarded.host}", "Content-Length: 0", *given]).status == 200


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost", "http://localhost", 200),
        ("localhost:80", "http://localhost", 200),
        ("localhost", "http://localhost:80", 200),
        ("localhost", "https://localhost", 200),  # a proxy in front of us speaks TLS
        ("localhost:443", "https://localhost", 200),
        ("localhost", "http://localhost:443", 403),
        ("[::1]:7860", "http://[::1]:7860", 200),
        ("[::1]:7860", "http://127.0.0.1:7860", 403),
        ("localhost:7860", "http://LOCALHOST:7860", 200),
        ("localhost:7860", "http://localhost:7861", 403),
    ],
)
def test_an_origin_is_ours_when_name_and_port_are(guarded: RawServer, host: str, origin: str, status: int) -> None:
    answer = guarded.ask("POST", "/count", [f"Host: {host}", f"Origin: {origin}", "Content-Length: 0"])
    assert answer.status == status


def test_a_page_without_tls_is_not_the_one_with_tls(settings: Settings) -> None:
    visitor = TestClient(guarded_app(settings), base_url="https://127.0.0.1:7860")
    assert visitor.post("/count", headers={"Origin": "https://127.0.0.1:7860"}).status_code == 200
    assert visitor.post("/count", headers={"Origin": "http://127.0.0.1:7860"}).status_code == 403


def test_looking_is_allowed_from_anywhere(guarded: RawServer) -> None:
    """Browsers keep the answer from the other page: nothing here grants it."""
    answer = get(guarded, f"Host: {guarded.host}", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


def test_a_websocket_opens_for_our_own_page_and_for_programs(guarded: RawServer) -> None:
    for headers in ({}, {"Origin": f"http://{guarded.host}"}):
        with socket_of(guarded.url, additional_headers=headers) as socket:
            assert socket.recv(timeout=120) == "hello"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Host: {host}", "Origin: https://evil.example"], (403, "origin_not_allowed")),
        (["Host: {host}", "Origin: null"], (403, "origin_not_allowed")),
        (["Host: {host}", "Sec-Fetch-Site: cross-site"], (403, "origin_not_allowed")),
        (["Host: evil.example"], (400, "host_not_allowed")),
    ],
)
def test_a_websocket_of_another_site_is_refused(
    guarded: RawServer, headers: list[str], expected: tuple[int, str]
) -> None:
    handshake = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {NONCE}",
    ]
    given = [header.replace("{host}", guarded.host) for header in headers]
    assert detail(guarded.ask("GET", "/ws", [*handshake, *given])) == expected


def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not(guarded: RawServer) -> None:
    def sent(size: int, *headers: str) -> RawAnswer:
        length = f"Content-Length: {size}"
        return guarded.ask("POST", "/count", [f"Host: {guarded.host}", length, *headers], body=[b"x" * size])

    assert sent(1000).json() == {"received": 1000}
    assert detail(sent(1001)) == (413, "body_too_large")
    upload = "Content-Type: multipart/form-data; boundary=x"
    assert sent(5000, upload).json() == {"received": 5000}
    assert detail(sent(5001, upload)) == (413, "body_too_large")


def test_an_announced_giant_is_refused_before_a_byte_of_it_is_sent(guarded: RawServer) -> None:
    answer = guarded.ask("POST", "/count", [f"Host: {guarded.host}", "Content-Length: 99999999999999999999"])
    assert detail(answer) == (413, "body_too_large")


def chunks(count: int, size: int = 500) -> Iterator[bytes]:
    for _ in range(count):
        yield f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"
    yield b"0\r\n\r\n"


def test_a_body_of_unannounced_length_is_counted(guarded: RawServer) -> None:
    headers = [f"Host: {guarded.host}", "Transfer-Encoding: chunked"]
    assert guarded.ask("POST", "/count", headers, body=chunks(2)).json() == {"received": 1000}
    answer = guarded.ask("POST", "/count", headers, body=chunks(3))
    assert detail(answer) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


def test_an_answer_that_needs_no_body_is_given_whatever_is_sent(guarded: RawServer) -> None:
    headers = [f"Host: {guarded.host}", "Transfer-Encoding: chunked"]
    assert guarded.ask("POST", "/unread", headers, body=chunks(1)).body == b"fine"


def test_a_cookie_that_takes_long_to_read_leaves_the_others(guarded: RawServer) -> None:
    hostile = f'a="{chr(92) * 30_000}"'
    answer = get(
        guarded, f"Host: {guarded.host}", f"Cookie: one=1; {hostile}; two=2", "Cookie: three=3", path="/cookies"
    )
    assert answer.json().items() >= {"one": "1", "two": "2"}.items()
    assert "a" not in answer.json()


@pytest.mark.parametrize("path", ["/count", "/nowhere", "/boom"])
def test_every_answer_tells_the_browser_to_be_careful(guarded: RawServer, path: str) -> None:
    for answer in (get(guarded, f"Host: {guarded.host}", path=path), get(guarded, "Host: evil.example", path=path)):
        assert {name: answer.headers.get(name.lower()) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_what_nobody_foresaw_is_a_500_and_logged_once_without_its_words(guarded: RawServer, log_file: Path) -> None:
    answer = get(guarded, f"Host: {guarded.host}", path=f"/boom?text={SECRET.replace(' ', '+')}")
    assert detail(answer) == (500, "internal_error")
    assert SECRET.encode() not in answer.body
    log = log_file.read_text(encoding="utf-8")
    assert log.count("Traceback") == 1
    assert "GET /boom failed" in log
    assert "KeyError" in log
    assert "nobody" not in log


def test_what_breaks_midway_breaks_the_connection(guarded: RawServer, log_file: Path) -> None:
    answer = get(guarded, f"Host: {guarded.host}", path="/boom-midway")
    assert answer.status == 200
    assert b"first" in answer.body
    assert not answer.body.endswith(b"0\r\n\r\n"), "the answer looks complete"
    assert "nobody" not in log_file.read_text(encoding="utf-8")


class _Skipping(asyncio.SelectorEventLoop):
    """Where nothing is to be done, it is at once as late as something is."""

    skipped_s = 0.0

    def time(self) -> float:
        return super().time() + self.skipped_s

    def _run_once(self) -> None:
        due = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        if due and not self._ready:  # type: ignore[attr-defined]
            self.skipped_s += max(0.0, min(due) - self.time())
        super()._run_once()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("pause_s", "piece_bytes", "pieces", "status"),
    [
        (29, 20_000, 1, 200),  # a slow line that is used
        (29, 20_000, 45, 408),  # 22 minutes, for which it would take a place in memory
        (31, 900_000, 1, 408),  # it came fast and stopped
        (29, 100, 45, 408),  # drops that would take a place for hours
    ],
)
def test_a_body_may_come_slowly_but_must_come(
    settings: Settings, pause_s: float, piece_bytes: int, pieces: int, status: int
) -> None:
    answered: list[Message] = []
    remaining = iter(range(pieces, -1, -1))

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        left = next(remaining)
        return {"type": "http.request", "body": bytes(piece_bytes * bool(left)), "more_body": left > 0}

    async def send(message: Message) -> None:
        answered.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/count", "headers": headers, "scheme": "http"}
    with contextlib.closing(_Skipping()) as loop:
        app = RequestGuard(Starlette(routes=[Route("/count", count, methods=["POST"])]), settings)
        loop.run_until_complete(app({**scope, "query_string": b"", "client": ("127.0.0.1", 1)}, receive, send))
    assert answered[0]["status"] == status


@pytest.mark.parametrize(
    ("fields", "size", "status", "code"),
    [
        ("Origin: https://evil.example\r\n", 5, 403, "origin_not_allowed"),
        ("", 20_000_000, 413, "body_too_large"),
        ("Content-Type: multipart/form-data; boundary=x\r\n", 20_000_000, 413, "body_too_large"),
    ],
)
def test_a_refusal_is_read_whole_by_who_still_sends(
    guarded: RawServer, fields: str, size: int, status: int, code: str
) -> None:
    """A connection that is closed while the body comes takes the answer with it."""
    head = f"POST /count HTTP/1.1\r\nHost: {guarded.host}\r\n{fields}Content-Length: {size}\r\n\r\n"
    with guarded.connect() as connection:
        connection.sendall(head.encode())
        received = connection.recv(65536)
        connection.sendall(bytes(size))  # raises ConnectionError if nobody reads it
        while piece := connection.recv(65536):  # as does this, if the end is not clean
            received += piece
    assert received.startswith(f"HTTP/1.1 {status}".encode())
    assert code.encode() in received


def test_an_endless_body_is_not_read_for_ever(guarded: RawServer) -> None:
    head = f"POST /count HTTP/1.1\r\nHost: {guarded.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with guarded.connect() as connection:
        connection.sendall(head.encode())
        sent, piece = 0, b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        with contextlib.suppress(ConnectionError):
            while sent < 10 * MAX_DRAINED_BYTES:
                connection.sendall(piece)
                sent += len(piece)
    assert sent < 2 * MAX_DRAINED_BYTES


def test_json_of_very_many_values_is_refused_before_it_is_parsed(settings: Settings) -> None:
    app = RequestGuard(Starlette(routes=[Route("/count", count, methods=["POST"])]), settings)
    visitor = TestClient(app, base_url=OWN_PAGE)
    for body in (b"[%s1]" % (b"1," * MAX_JSON_VALUES), b"[" * (MAX_JSON_VALUES + 1), b"[{},%s]" % (b"{}" * 100_000)):
        answer = visitor.post("/count", content=body)
        assert (answer.status_code, answer.json()["detail"]) == (422, "invalid_request")
    assert visitor.post("/count", content=b'{"text": "%s"}' % (b"," * 20_000)).status_code == 200


def test_all_bodies_in_memory_together_are_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that come at once, most of each there, and one that comes when they have gone."""
    monkeypatch.setattr(request_guard, "MAX_HELD_BYTES", 5_000_000)
    app = RequestGuard(Starlette(routes=[Route("/mcp", count, methods=["POST"])]), settings)

    async def post(go_on: asyncio.Event) -> int:
        answered: list[Message] = []
        pieces = iter([bytes(2_000_000), b""])

        async def receive() -> Message:
            if not (piece := next(pieces, b"")):
                await go_on.wait()
            return {"type": "http.request", "body": piece, "more_body": bool(piece)}

        async def send(message: Message) -> None:
            answered.append(message)

        headers = [(b"host", b"127.0.0.1"), (b"content-length", b"2000000")]
        scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers, "scheme": "http"}
        await app({**scope, "query_string": b"", "client": ("127.0.0.1", 1)}, receive, send)
        return int(answered[0]["status"])

    async def come() -> tuple[list[int], int]:
        go_on = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
        return sorted(await asyncio.gather(*(post(go_on) for _ in range(4)))), await post(go_on)

    assert asyncio.run(come()) == ([200, 200, 429, 429], 200)
