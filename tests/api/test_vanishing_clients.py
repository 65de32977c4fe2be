"""Fifty clients at once that stall, read nothing, send half of what they announce, and vanish without a word.

Afterwards the server answers as before, and holds on to nothing of theirs.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.api.conftest import API, client_of
from tests.conftest import wait_until
from tests.ui.conftest import RunningApp, running_app

CLIENTS = 50
TEXT = "The same words sound the same, whoever else was here."
LONG = "A long text that takes its time. " * 200
SPARE_THREADS, SPARE_FILES, SPARE_BYTES = 6, 8, 150_000_000
"""What a server may keep for later: idle threads, files of the library, memory of the allocator."""
VANISH = struct.pack("ii", 1, 0)
"""Closes with a reset: nothing more is sent, nothing that came is read."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("vanishing")) as running:
        yield running


@pytest.fixture
def client(app: RunningApp) -> Iterator[httpx.Client]:
    with client_of(app.url) as client:
        yield client


def process_of(app: RunningApp) -> psutil.Process:
    return next(child for child in psutil.Process().children() if str(app.data_dir) in child.cmdline())


def post(path: str, body: bytes, *headers: str, announced: int | None = None) -> bytes:
    length = len(body) if announced is None else announced
    lines = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


JSON = "Content-Type: application/json"
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
MCP_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "speak", "arguments": {"text": LONG}},
}


def what_they_send(number: int) -> bytes:
    """Half a head, half a body, or a whole request whose answer nobody will read."""
    queue = {"data": [LONG], "fn_index": 0, "session_hash": f"gone{number}"}
    kinds = (
        f"POST {API}/synthesize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-".encode(),
        post(f"{API}/synthesize", b'{"text": "half', JSON, announced=1000),
        post(
            "/gradio_api/upload",
            b"--x\r\nContent-Disp",
            "Content-Type: multipart/form-data; boundary=x",
            announced=9999,
        ),
        post(f"{API}/synthesize", as_json({"text": LONG}), JSON, "Accept: audio/wav"),
        post("/v1/audio/speech", as_json({"model": "tts-1", "voice": "alloy", "input": LONG}), JSON),
        post("/mcp", as_json(MCP_CALL), JSON, "Accept: application/json, text/event-stream"),
        post("/gradio_api/queue/join", as_json(queue), JSON),
        b"GET /gradio_api/queue/data?session_hash=gone HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /api/models/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "\r\n".join(("GET /ws HTTP/1.1", "Host: 127.0.0.1", *WEBSOCKET, "", "")).encode(),
        b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20,
    )
    return kinds[number % len(kinds)]


def connect(port: int, number: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what it does not read is soon the server's problem
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, VANISH)
    client.settimeout(120)
    client.connect(("127.0.0.1", port))
    client.sendall(what_they_send(number))
    return client


def spoken(client: httpx.Client) -> bytes:
    answer = client.post(f"{API}/synthesize", json={"text": TEXT}, headers={"Accept": "audio/wav"})
    assert answer.status_code == 200, answer.text
    return answer.content


def vanish_together(port: int, client: httpx.Client) -> None:
    held = [connect(port, number) for number in range(CLIENTS)]
    try:
        assert client.get("/health").json()["status"] == "ok", "others are answered while they all wait"
    finally:
        for one in held:
            one.close()


@pytest.mark.thorough
@pytest.mark.slow
def test_fifty_who_vanish_leave_nothing_behind(app: RunningApp, client: httpx.Client) -> None:
    port = httpx.URL(app.url).port
    assert port is not None
    right = spoken(client)
    process = process_of(app)

    def settled() -> bool:
        """No speech is made or waits any more; also lets idle threads see that they are no longer needed."""
        jobs = client.get("/api/jobs").json()["data"]
        return all(job["status"] not in ("waiting", "running") for job in jobs)

    vanish_together(port, client)  # so that all is loaded, and every pool has its size
    wait_until(settled)
    threads, files, memory = process.num_threads(), process.num_fds(), process.memory_info().rss
    for _ in range(2):
        vanish_together(port, client)
    wait_until(settled)
    # espeak-ng's own state makes a few samples more or less of the same words.
    assert abs(len(spoken(client)) - len(right)) < len(right) / 100
    wait_until(lambda: settled() and process.num_threads() <= threads + SPARE_THREADS)
    wait_until(lambda: process.num_fds() <= files + SPARE_FILES)
    assert process.memory_info().rss <= memory + SPARE_BYTES
