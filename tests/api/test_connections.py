"""Clients that keep a connection and do nothing with it: how long they may, and how many of them there may be."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import h11
import pytest
import uvicorn

from tests.api.conftest import API, client_of
from tests.api.raw_http import RawServer
from tests.api.watchers import EVENTS, hear, socket_of
from tests.conftest import wait_until
from tts_core.api.protection.connections import (
    BACKLOG,
    OTHER_DESCRIPTORS,
    ConnectionLimits,
    HttpConnection,
    _network,
    limits_here,
)
from tts_core.api.server import create_api
from tts_core.api.serving import build_server
from tts_core.platform.settings.server import ProxySettings
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

TAKE_ID = "0123456789abcdef" * 2
TAKE_BYTES = 64_000_000
"""More than systems take from a server for a client that reads nothing."""
LAST = bytes(range(256))
HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
EVENT_STREAM = f"GET {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
IN_NO_TIME = ConnectionLimits(head_s=0.2, send_s=0.2)


class Served(NamedTuple):
    raw: RawServer
    server: uvicorn.Server

    def connect(self, first: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        port = int(self.raw.host.rpartition(":")[2])
        connection = socket.create_connection(("127.0.0.1", port), timeout=120, source_address=(source, 0))
        connection.sendall(first)
        return connection

    @property
    def held(self) -> int:
        return len(self.server.server_state.connections)


@contextmanager
def served(data_dir: Path, limits: ConnectionLimits, *, trusted: bool = True) -> Iterator[Served]:
    """As it is served for people; `trusted` proxies on this machine carry many people."""
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir)})
    quick = dataclasses.replace(settings.limits, body_pause_s=0.2)
    proxies = settings.proxies if trusted else ProxySettings(trusted=())
    services = build_services(dataclasses.replace(settings, limits=quick, proxies=proxies))
    listener = socket.create_server(("127.0.0.1", 0))
    server = build_server(create_api(services), limits=limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield Served(RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}"), server)
    finally:
        server.should_exit = True
        thread.join(120)
        listener.close()
        services.close()


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data_dir = tmp_path_factory.mktemp("hurried")
    with served(data_dir, IN_NO_TIME) as running:
        take = data_dir / "cache" / "outputs" / f"take-{TAKE_ID}.wav"
        take.parent.mkdir(parents=True, exist_ok=True)
        with take.open("wb") as file:
            file.truncate(TAKE_BYTES - len(LAST))
            file.seek(0, 2)
            file.write(LAST)
        yield running


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what a test opened."""
    with ExitStack() as stack:
        yield stack


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has not closed it by now. What it sends meanwhile is read."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


def answer_to(connection: socket.socket, request: bytes) -> bytes:
    """Its first piece; empty where the server has closed the connection."""
    connection.settimeout(120)
    try:
        connection.sendall(request)
        return connection.recv(65536)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("first", [b"", b"\r\n", HEALTH[:-2], HEALTH + HEALTH[:20]])
def test_who_begins_no_request_is_let_go(hurried: Served, opened: ExitStack, first: bytes) -> None:
    connection = opened.enter_context(hurried.connect(first))
    wait_until(lambda: not is_open(connection))


@pytest.mark.thorough
def test_who_trickles_a_body_after_the_answer_is_let_go(hurried: Served, opened: ExitStack) -> None:
    connection = opened.enter_context(hurried.connect())
    head = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n"
    assert answer_to(connection, head).startswith(b"HTTP/1.1 200")
    wait_until(lambda: not is_open(connection) or not trickle(connection))


def trickle(connection: socket.socket) -> bool:
    with suppress(ConnectionError):
        connection.sendall(b"x")
        return True
    return False


@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        (f"{API}/synthesize", "application/json", b'{"text": "half'),
        ("/v1/audio/speech", "application/json", b""),
        (f"{API}/transcriptions", "multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; na"),
    ],
)
def test_a_body_that_stops_coming_is_told_so(hurried: Served, path: str, kind: str, part: bytes) -> None:
    headers = ("Host: 127.0.0.1", f"Content-Type: {kind}", "Content-Length: 1000")
    answer = hurried.raw.ask("POST", path, headers, body=[part])
    assert answer.status == 408
    assert b"body_too_slow" in answer.body
    assert answer.headers["connection"] == "close"


def test_who_reads_nothing_of_a_file_is_let_go_and_gets_the_rest_later(hurried: Served) -> None:
    path = f"{API}/audio/{TAKE_ID}"
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with hurried.connect(request) as paused:
        wait_until(lambda: hurried.held == 1)
        wait_until(lambda: hurried.held == 0)
        with client_of(hurried.raw.url) as client:
            rest = client.get(path, headers={"Range": f"bytes={TAKE_BYTES - len(LAST)}-"})
        received = 0
        paused.settimeout(120)
        with suppress(ConnectionError):
            while piece := paused.recv(1_000_000):
                received += len(piece)
    assert 0 < received < TAKE_BYTES
    assert (rest.status_code, rest.content) == (206, LAST)


def test_who_listens_may_be_silent(hurried: Served, opened: ExitStack) -> None:
    """WebSockets and event streams have no more to say than their request."""
    watcher = opened.enter_context(socket_of(hurried.raw.url))
    stream = opened.enter_context(hurried.connect(EVENT_STREAM))
    silent = opened.enter_context(hurried.connect())
    wait_until(lambda: not is_open(silent))  # and so they would be, who came before
    watcher.send('{"type": "ping"}')
    assert hear(watcher) == {"type": "pong"}
    assert is_open(stream)


def test_the_longest_idle_makes_room(tmp_path: Path, opened: ExitStack) -> None:
    with served(tmp_path, ConnectionLimits(total=4, head_s=120)) as crowded, opened:
        idle = []
        for _ in range(4):
            idle.append(opened.enter_context(crowded.connect()))
            wait_until(lambda: crowded.held == len(idle))  # so that each has its age
        assert b"200 OK" in answer_to(opened.enter_context(crowded.connect()), HEALTH)
        wait_until(lambda: not is_open(idle[0]))
        assert [is_open(one) for one in idle[1:]] == [True] * 3


def test_where_all_are_busy_the_newest_is_refused(tmp_path: Path, opened: ExitStack) -> None:
    with served(tmp_path, ConnectionLimits(total=4, head_s=120)) as crowded, opened:
        busy = [crowded.connect() for _ in range(4)]
        for one in busy:
            opened.enter_context(one)
            assert b"text/event-stream" in answer_to(one, EVENT_STREAM)
        assert answer_to(opened.enter_context(crowded.connect()), HEALTH) == b""
        busy[0].close()
        wait_until(lambda: crowded.held == 3)
        assert b"200 OK" in answer_to(opened.enter_context(crowded.connect()), HEALTH)
        assert all(is_open(one) for one in busy[1:])


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second address of this machine")
@pytest.mark.parametrize("trusted", [False, True])
def test_one_address_cannot_take_all_places_unless_it_carries_many(
    tmp_path: Path, opened: ExitStack, trusted: bool
) -> None:
    with served(tmp_path, ConnectionLimits(total=8, per_address=3, head_s=120), trusted=trusted) as crowded, opened:
        for _ in range(3):
            one = opened.enter_context(crowded.connect())
            assert b"text/event-stream" in answer_to(one, EVENT_STREAM)
        fourth = answer_to(opened.enter_context(crowded.connect()), HEALTH)
        assert (b"200 OK" in fourth) == trusted
        other = opened.enter_context(crowded.connect(source="127.0.0.2"))
        assert b"200 OK" in answer_to(other, HEALTH)


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    assert _network("2001:db8:1:2::3") == _network("2001:db8:1:2:ffff::9") != _network("2001:db8:1:3::3")
    assert _network("fe80::1%eth0") == _network("fe80::2%eth0")
    assert _network("::ffff:192.0.2.1") == "192.0.2.1" != _network("::ffff:192.0.2.2")
    assert _network("testclient") == "testclient"


class Transport(asyncio.Transport):
    unsent = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent


def test_who_takes_a_little_now_and_then_is_not_stuck() -> None:
    connection, transport = HttpConnection.__new__(HttpConnection), Transport()
    connection.transport = transport
    stuck = []
    for now, transport.unsent in enumerate((0, 70_000, 70_000, 70_000, 60_000, 90_000, 0, 50, 50)):
        stuck.append(connection.stuck_s(now))
    assert stuck == [0, 0, 1, 2, 0, 1, 0, 0, 1]


def test_who_still_takes_the_end_of_an_answer_is_not_idle() -> None:
    connection, transport = HttpConnection.__new__(HttpConnection), Transport()
    connection.transport, connection.conn = transport, h11.Connection(h11.SERVER)
    idle = []
    for transport.unsent in (0, 70_000, 1, 0):
        idle.append(connection.idle_s(100))
    assert idle == [100, 0, 0, 100]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
@pytest.mark.parametrize(
    ("soft", "hard", "total", "raised_to"),
    [(256, -1, 2000, 8192), (1024, 524_288, 2000, 8192), (1024, 1024, 256, None), (-1, -1, 2000, None)],
)
def test_the_limit_keeps_within_the_descriptors(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, total: int, raised_to: int | None
) -> None:
    import resource  # noqa: PLC0415 - not on Windows

    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, limits: raised.append(limits))
    assert limits_here().total == total
    assert raised == ([] if raised_to is None else [(raised_to, hard)])


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_limit_that_cannot_be_raised_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource  # noqa: PLC0415 - not on Windows

    def refuse(_kind: int, _limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert limits_here().total == (1024 - OTHER_DESCRIPTORS - BACKLOG) // 2
