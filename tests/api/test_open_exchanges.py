"""What stays open ends soon after its visitor may no longer come in, each in the way that its client understands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Timer

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.api.conftest import client_of
from tests.conftest import SOON_S
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.login import LoginRule, LoginService
from tts_core.access.public_link import PublicLink
from tts_core.access.sessions import SESSION_S
from tts_core.access.visitor import Role
from tts_core.api.protection import open_exchanges
from tts_core.api.protection.authentication import COOKIE, Authentication
from tts_core.api.protection.open_exchanges import Exchange, OpenExchanges
from tts_core.api.protection.path_mask import PathMask
from tts_core.api.server import create_api
from tts_core.platform.settings.server import ShareSettings
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

PASSWORD, OTHER = "correct horse", "battery staple"
Headers = dict[str, str]


@dataclass
class Stage:
    """A small application behind authentication, with streams that would stay open for ever."""

    accounts: AccountsFile
    url: str = ""
    now: float = 0.0
    login: LoginService = field(init=False)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.login = LoginService(self.accounts, LoginRule.ALL, lambda: self.now)

    def user(self) -> tuple[str, Headers]:
        """A new admin who has logged in."""
        name = self.accounts.add_user(f"user {next(self.numbers)}", PASSWORD, Role.ADMIN).name
        return name, {"Cookie": f"{COOKIE}={self.login.log_in(name, PASSWORD, '127.0.0.1')}"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("open")
    stage = Stage(AccountsFile(folder / "accounts.json"))
    routes = [Route(path, answer) for path, answer in (("/events", _events), ("/sound", _sound), ("/work", _work))]
    link = PublicLink(ShareSettings(), stage.login, folder / "certificate")
    entrance = Middleware(Authentication, login=stage.login, mask=PathMask({}), link=link, watch=OpenExchanges(0.02))
    with serving(Starlette(routes=[*routes, WebSocketRoute("/ws", _socket)], middleware=[entrance])) as url:
        stage.url = url
        yield stage


async def _for_ever() -> AsyncIterator[bytes]:
    yield b"data: {}\n\n"
    await asyncio.Event().wait()


async def _events(_request: Request) -> Response:
    return StreamingResponse(_for_ever(), media_type="text/event-stream; charset=utf-8")


async def _sound(_request: Request) -> Response:
    return StreamingResponse(_for_ever(), media_type="audio/wav")


async def _work(request: Request) -> Response:
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    return JSONResponse({"made": "for nobody"})


async def _socket(websocket: WebSocket) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text("open")
            await websocket.receive_text()


Ways = Callable[[Stage], tuple[Headers, Callable[[], object]]]


def new_password(stage: Stage) -> tuple[Headers, Callable[[], object]]:
    name, headers = stage.user()
    return headers, lambda: stage.accounts.set_password(name, OTHER)


def removed_account(stage: Stage) -> tuple[Headers, Callable[[], object]]:
    name, headers = stage.user()
    return headers, lambda: stage.accounts.remove_user(name)


def log_out(stage: Stage) -> tuple[Headers, Callable[[], object]]:
    _, headers = stage.user()
    return headers, lambda: stage.login.log_out(headers["Cookie"].partition("=")[2])


def end_of_time(stage: Stage) -> tuple[Headers, Callable[[], object]]:
    _, headers = stage.user()

    def later() -> None:
        stage.now += SESSION_S

    return headers, later


def removed_key(stage: Stage) -> tuple[Headers, Callable[[], object]]:
    key, secret = stage.accounts.add_key("program", Role.ADMIN)
    return {"Authorization": f"Bearer {secret}"}, lambda: stage.accounts.remove_key(key.id)


def other_role(stage: Stage) -> tuple[Headers, Callable[[], object]]:
    name, headers = stage.user()

    def demote() -> None:
        file = stage.accounts.file
        told = json.loads(file.read_text("utf-8"))
        for user in told["users"]:
            user["role"] = "guest" if user["name"] == name else user["role"]
        file.write_text(json.dumps(told), "utf-8")

    return headers, demote


def damaged_file(stage: Stage) -> tuple[Headers, Callable[[], object]]:
    _, headers = stage.user()

    def damage() -> None:
        whole = stage.accounts.file.read_bytes()
        stage.accounts.file.write_bytes(whole[: len(whole) // 2])

    return headers, damage


@pytest.mark.parametrize(
    "way", [new_password, removed_account, log_out, end_of_time, removed_key, other_role, damaged_file]
)
def test_sockets_and_events_end_with_what_let_their_visitor_in(stage: Stage, way: Ways) -> None:
    headers, end = way(stage)
    whole = stage.accounts.file.read_bytes()
    address = stage.url.replace("http", "ws") + "/ws"
    with (
        connect(address, additional_headers=headers, proxy=None) as socket,
        client_of(stage.url) as client,
        client.stream("GET", "/events", headers=headers) as stream,
    ):
        assert socket.recv(timeout=SOON_S) == "open"
        assert next(pieces := stream.iter_raw()) == b"data: {}\n\n"
        end()
        assert list(pieces) == []
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=SOON_S)
        stage.accounts.file.write_bytes(whole)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "login_required")


def test_those_of_others_go_on(stage: Stage) -> None:
    headers, end = new_password(stage)
    _, others = stage.user()
    address = stage.url.replace("http", "ws") + "/ws"
    with (
        connect(address, additional_headers=headers, proxy=None) as one,
        connect(address, additional_headers=others, proxy=None) as other,
    ):
        assert [socket.recv(timeout=SOON_S) for socket in (one, other)] == ["open", "open"]
        end()
        with pytest.raises(ConnectionClosed):
            one.recv(timeout=SOON_S)
        other.send("still there?")
        assert other.recv(timeout=SOON_S) == "open"


def test_sound_that_is_cut_off_does_not_look_whole(stage: Stage) -> None:
    headers, end = new_password(stage)
    with client_of(stage.url) as client, client.stream("GET", "/sound", headers=headers) as stream:
        next(pieces := stream.iter_raw())
        end()
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)


def test_work_that_has_not_answered_stops_and_its_outcome_is_nobodys(stage: Stage) -> None:
    headers, end = new_password(stage)
    with client_of(stage.url) as client:
        timer = Timer(0.1, end)
        timer.start()
        answer = client.get("/work", headers=headers)
        timer.join()
    assert (answer.status_code, answer.json()["detail"]) == (401, "login_required")


def exchange_that_sends(sent: list[Message]) -> Exchange:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    return Exchange({"type": "http"}, receive, send)


def test_what_has_a_known_length_and_has_begun_leaves_whole() -> None:
    sent: list[Message] = []

    async def run() -> None:
        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            exchange.end()
            await send({"type": "http.response.body", "body": b"ab"})

        exchange = exchange_that_sends(sent)
        await exchange.run(app)

    asyncio.run(run())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["body"] == b"ab"


def test_what_does_not_listen_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_exchanges, "GRACE_S", 0.05)
    sent: list[Message] = []

    async def run() -> None:
        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
            )
            exchange.end()
            await asyncio.Event().wait()

        exchange = exchange_that_sends(sent)
        await asyncio.wait_for(exchange.run(app), SOON_S)

    asyncio.run(run())
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_nothing_is_looked_at_while_nothing_is_open() -> None:
    looks = 0

    async def run() -> None:
        def may_stay() -> bool:
            nonlocal looks
            looks += 1
            return True

        watch = OpenExchanges(0.01)
        with watch.watching(exchange_that_sends([]), may_stay):
            await asyncio.sleep(0.05)
        assert looks
        await asyncio.sleep(0.02)
        assert watch._looking is not None
        assert watch._looking.done()

    asyncio.run(run())


def test_the_studios_streams_end(tmp_path: Path) -> None:
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path), "TTS_STUDIO_AUTH": "on"})
    accounts = AccountsFile(settings.paths.accounts_file)
    accounts.add_user("Anna", PASSWORD, Role.ADMIN)
    services = build_services(settings)
    headers = {"Cookie": f"{COOKIE}={services.login.log_in('Anna', PASSWORD, '127.0.0.1')}"}
    sound = services.live.open(24_000)
    with (
        serving(create_api(services)) as url,
        connect(url.replace("http", "ws") + "/ws", additional_headers=headers, proxy=None) as socket,
        client_of(url) as client,
        client.stream("GET", "/api/models/events", headers=headers) as models,
        client.stream("GET", "/api/jobs/events", headers=headers) as jobs,
        client.stream("GET", f"/api/tts/qwen3/live/{sound.id}", headers=headers) as live,
    ):
        assert [stream.status_code for stream in (models, jobs, live)] == [200, 200, 200]
        accounts.remove_user("Anna")
        for stream in (models, jobs):
            assert stream.read() is not None
        with pytest.raises(httpx.RemoteProtocolError):
            live.read()
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=SOON_S)
        assert socket.close_code == 1008
    sound.close()
    services.close()
