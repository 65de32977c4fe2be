"""The WebSocket: the contract's messages, pings, who may connect, and clients that misbehave."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.conftest import client_of
from tests.api.test_events import KEY, LIMIT, SEND_TIMEOUT_S
from tests.api.watchers import hear, listening, socket_of
from tests.conftest import wait_until
from tests.models.staged_downloads import TOTAL_BYTES, StagedDownloads, stage_downloads
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.api.serving import build_server
from tts_core.api.streams import Streams
from tts_core.models.download_task import Phase
from tts_core.platform.job import JobState
from tts_core.services import Services

CONTRACT = {
    *("type", "scope", "phase", "message", "progress", "timestamp", "project_id", "model_key", "provider"),
    *("downloaded_bytes", "total_bytes", "bytes_per_second", "eta_seconds"),
}


@dataclass(frozen=True)
class Stage:
    url: str
    downloads: StagedDownloads


@pytest.fixture
def stage(services: Services) -> Iterator[Stage]:
    downloads = stage_downloads(services)
    streams = Streams(limit=LIMIT, send_timeout_s=SEND_TIMEOUT_S)
    with serving(create_api(downloads.services, streams)) as url:
        yield Stage(url, downloads)


def test_a_ping_gets_a_pong(stage: Stage) -> None:
    with socket_of(stage.url) as client:
        for said in (
            '{"type": "ping"}',
            "hello",
            "[]",
            "[" * 4000,
            '{"type": "subscribe"}',
            b"\x00",
            '{"type":"ping"}',
        ):
            client.send(said)
        assert [hear(client), hear(client)] == [{"type": "pong"}] * 2, "what is not understood is ignored"


def test_a_download_is_told_from_its_start_to_its_end(stage: Stage) -> None:
    with socket_of(stage.url) as client:
        stage.downloads.change(KEY, position=1)
        heard = [hear(client)]
        for change in (
            {"state": JobState.RUNNING, "phase": Phase.RESOLVING, "position": 0},
            {"phase": Phase.TRANSFERRING, "bytes_done": 420_000, "bytes_per_second": 1e5, "eta_s": 5.8},
            {"phase": Phase.VERIFYING, "bytes_done": TOTAL_BYTES},
            {"state": JobState.DONE, "phase": Phase.DONE},
        ):
            stage.downloads.change(KEY, **change)
            heard.append(hear(client))
    assert all(message.keys() >= CONTRACT for message in heard)
    assert {(message["scope"], message["project_id"], message["model_key"]) for message in heard} == {
        ("qwen3_tts_models", None, KEY)
    }
    assert [(message["type"], message["phase"], message["progress"]) for message in heard] == [
        ("progress", "download_start", 0),
        ("progress", "download_start", 0),
        ("progress", "download_running", 42),
        ("progress", "download_verify", 99.9),
        ("completed", "download_done", 100),
    ]
    assert (heard[2]["downloaded_bytes"], heard[2]["bytes_per_second"], heard[2]["eta_seconds"]) == (420_000, 1e5, 5.8)


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        (JobState.ERROR, "ALL_SOURCES_FAILED", ("error", "download_error")),
        (JobState.PAUSED, "DISK_FULL", ("error", "download_error")),
        (JobState.PAUSED, "", ("cancelled", "download_cancelled")),
        (JobState.CANCELLED, "", ("cancelled", "download_cancelled")),
    ],
)
def test_every_end_is_told(stage: Stage, state: JobState, code: str, expected: tuple[str, str]) -> None:
    with socket_of(stage.url) as client:
        stage.downloads.change(KEY, state=state, code=code, bytes_done=1)
        heard = hear(client)
    assert (heard["type"], heard["phase"], heard["code"]) == (*expected, code)
    assert heard["message"]


def test_who_comes_later_is_told_what_goes_on_and_not_what_is_over(stage: Stage) -> None:
    stage.downloads.finish("base_0_6b")
    last = stage.downloads.at(KEY, 420_000)
    with socket_of(stage.url) as client:
        assert hear(client)["downloaded_bytes"] == 420_000
        stage.downloads.at("base_1_7b", 1)
        assert hear(client)["model_key"] == "base_1_7b"
    stage.downloads.finish(KEY)
    with socket_of(stage.url, f"?after_seq={last.seq}") as client:
        told = {(message["model_key"], message["type"]) for message in (hear(client), hear(client))}
    assert told == {("base_1_7b", "progress"), (KEY, "completed")}, "the end that was missed, too"


def test_the_socket_and_the_events_show_the_same_numbers(stage: Stage) -> None:
    with listening(stage.url) as reader, socket_of(stage.url) as client:
        reader.until("initial_state")
        stage.downloads.at(KEY, 420_000)
        event, message = reader.until("model_progress").data, hear(client)
    shared = event.keys() & message.keys() - {"type", "phase", "status"}
    assert shared > {"download_status", "progress", "downloaded_bytes", "seq", "timestamp", "message"}
    assert {name: event[name] for name in shared} == {name: message[name] for name in shared}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "https://evil.example"}, (403, "origin_not_allowed")),
        ({"Origin": "null"}, (403, "origin_not_allowed")),
        ({"Sec-Fetch-Site": "cross-site"}, (403, "origin_not_allowed")),
    ],
)
def test_another_sites_page_cannot_connect(stage: Stage, headers: dict[str, str], expected: tuple[int, str]) -> None:
    with pytest.raises(InvalidStatus) as refused, socket_of(stage.url, additional_headers=headers):
        pytest.fail("it connected")
    response = refused.value.response
    assert (response.status_code, json.loads(response.body)["detail"]) == expected


def test_a_rebound_name_cannot_connect(stage: Stage) -> None:
    host, _, port = stage.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=120)
    with pytest.raises(InvalidStatus) as refused, socket_of("http://evil.example", sock=connection):
        pytest.fail("it connected")
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body)["detail"] == "host_not_allowed"


def test_our_own_page_can_connect(stage: Stage) -> None:
    with socket_of(stage.url, origin=stage.url) as client:
        client.send('{"type": "ping"}')
        assert hear(client) == {"type": "pong"}


def test_a_message_that_is_too_long_ends_the_connection(stage: Stage) -> None:
    with socket_of(stage.url) as client:
        client.send("x" * 5000)
        with pytest.raises(ConnectionClosed) as ended:
            client.recv(timeout=120)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1009
    wait_until(lambda: stage.downloads.readers == 0)


def test_there_is_room_for_so_many(stage: Stage) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(socket_of(stage.url)) for _ in range(LIMIT)]
        wait_until(lambda: stage.downloads.readers == LIMIT)
        with pytest.raises(InvalidStatus) as refused, socket_of(stage.url):
            pytest.fail("it connected")
        assert refused.value.response.status_code == 429
        clients[0].close()
        wait_until(lambda: stage.downloads.readers == LIMIT - 1)
        with socket_of(stage.url) as client:
            client.send('{"type": "ping"}')
            assert hear(client) == {"type": "pong"}


def test_who_does_not_read_holds_nobody_up_and_is_given_up(stage: Stage) -> None:
    done = threading.Event()

    def flood() -> None:
        while not done.is_set():
            stage.downloads.change(KEY, state=JobState.PAUSED, file="x" * 60_000)  # told at once: the pipe is soon full

    host, _, port = stage.url.removeprefix("http://").partition(":")
    raw = socket.create_connection((host, int(port)), timeout=120)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with raw:
        raw.sendall(handshake(f"{host}:{port}"))
        wait_until(lambda: stage.downloads.readers == 1)
        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            with socket_of(stage.url) as client:
                for _ in range(20):
                    hear(client)
            wait_until(lambda: stage.downloads.readers == 0)
        finally:
            done.set()
            flooding.join()


def test_who_vanishes_without_a_word_is_given_up(services: Services) -> None:
    """Nothing is told it that could fail to arrive: only the server's own pings, which it never answers, show it."""
    downloads = stage_downloads(services)
    app = create_api(downloads.services)
    server = build_server(app)
    assert 0 < (server.config.ws_ping_interval or 0) <= 30
    server.config.ws_ping_interval = server.config.ws_ping_timeout = 0.2
    listener = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    serving.start()
    try:
        host, port = listener.getsockname()
        with socket.create_connection((host, port), timeout=120) as vanished:
            vanished.sendall(handshake(f"{host}:{port}"))
            wait_until(lambda: downloads.readers == 1)
            wait_until(lambda: downloads.readers == 0)
    finally:
        server.should_exit = True
        serving.join(120)
        listener.close()


def handshake(host: str) -> bytes:
    return (
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def test_whoever_comes_without_a_websocket_is_told_what_to_do(stage: Stage) -> None:
    with client_of(stage.url) as client:
        answer = client.get("/ws")
    assert (answer.status_code, answer.json()["detail"]) == (426, "upgrade_required")
    assert answer.headers["upgrade"] == "websocket"
