"""The server as app.py sets it up: its WebSocket side, and open streams that end when it does."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed

from tests.api.watchers import hear, listening, socket_of
from tts_core.api import serving
from tts_core.api.server import create_api
from tts_core.api.serving import bind, build_server, listen
from tts_core.platform.paths import ROOT_DIR
from tts_core.services import Services

END_TIMEOUT_S = 60


@dataclass
class Running:
    url: str
    server: uvicorn.Server
    thread: threading.Thread = field(repr=False)


@pytest.fixture
def running(services: Services) -> Iterator[Running]:
    server, listener = build_server(create_api(services)), bind(services.settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "it ended before it served anything"
            time.sleep(0.01)
        yield Running(f"http://127.0.0.1:{listener.getsockname()[1]}", server, thread)
    finally:
        server.should_exit = True
        thread.join(END_TIMEOUT_S)


def test_open_streams_end_with_the_server(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    with listening(running.url) as reader, socket_of(running.url) as socket:
        reader.until("initial_state")
        socket.send('{"type": "ping"}')
        assert hear(socket) == {"type": "pong"}
        with caplog.at_level(logging.WARNING):
            running.server.should_exit = True
            assert reader.next() is None, "ended as a whole, not cut off"
            with pytest.raises(ConnectionClosed) as ended:
                socket.recv(timeout=END_TIMEOUT_S)
            running.thread.join(END_TIMEOUT_S)
    assert not running.thread.is_alive()
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1012, "it says that it restarts"
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in warnings if record.name.startswith("uvicorn")] == [], "none was cut off"


def test_a_giant_message_is_refused_before_it_is_whole(running: Running) -> None:
    with socket_of(running.url) as socket:

        def pieces() -> Iterator[str]:
            yield from ["x" * 1000] * 20
            deadline = time.monotonic() + END_TIMEOUT_S
            while socket.close_code is None and time.monotonic() < deadline:
                time.sleep(0.01)
            assert socket.close_code == 1009

        with pytest.raises(ConnectionClosed):
            socket.send(pieces())


STUCK = """
import threading
from types import SimpleNamespace
from fastapi import FastAPI
from tts_core.api import serving
from tts_core.api.protection.request_guard import RequestGuard
from tts_core.api.streams import Streams
from tts_core.platform.settings.studio import Settings

serving.STOP_AFTER_S = 0.2
settings = Settings.from_env({})
app = FastAPI()
app.state.streams, app.state.services = Streams(), SimpleNamespace(settings=settings)
app.add_middleware(RequestGuard, settings=settings)

@app.get("/compile")
def stuck():
    print("compiling", flush=True)
    threading.Event().wait()

listener = serving.bind(settings)
serving.end_on_signals(rest_s=0.5)
try:
    print(serving.url_of(listener), flush=True)
    serving.build_server(app).run(sockets=[listener])
finally:
    print("closed", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 128 + signal.SIGINT)])
def test_a_thread_that_can_not_be_stopped_does_not_keep_the_process(number: int, status: int) -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], cwd=ROOT_DIR, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, answers = process.stdout.readline().strip(), list[httpx.Response]()

        def ask() -> None:
            answers.append(httpx.get(f"{url}compile", timeout=END_TIMEOUT_S, trust_env=False))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            assert process.stdout.readline() == "compiling\n"
            process.send_signal(number)
            assert process.wait(END_TIMEOUT_S) == status
            assert process.stdout.read() == "closed\n", "what has to be closed was, before that"
        finally:
            process.kill()
            asking.join(END_TIMEOUT_S)
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [(503, "server_stopping")]
    assert "retry-after" in answers[0].headers


def test_the_whole_end_takes_less_than_three_seconds() -> None:
    assert serving.STOP_AFTER_S + serving.LAST_WORD_S + serving.REST_S < 3


def test_answers_leave_at_once() -> None:
    """asyncio sends without delay only where a socket names TCP; else answers on kept connections wait 40 ms."""
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP
