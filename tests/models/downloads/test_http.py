"""One request: what is taken for a file's bytes, and what anything else means."""

from __future__ import annotations

import gzip
import hashlib
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.models.downloads.raw_server import Answer, RawServer, raw_server, says, sends
from tts_core.models.download_faults import SourceFault
from tts_core.models.downloads.http_faults import retry_after_s, status_fault
from tts_core.models.downloads.hub import Remote
from tts_core.models.downloads.transfer import http
from tts_core.models.downloads.transfer.http import Ask, Line, RangesUnusable
from tts_core.models.downloads.transfer.part_file import PartStore, Want
from tts_core.models.downloads.transfer.transfer import TransferOptions, transfer
from tts_core.platform.logs import setup_logging

CONTENT = bytes(range(250)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
JSON_TYPE = "Content-Type: application/json"
PLAIN = TransferOptions(silence_s=20, stall_s=60, patience_s=0.0, backoff_s=0.01, connections=1)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line(20, 20)
    yield made
    made.close()


def code_of(line: Line, server: RawServer, start: int = 0, *, file: str = "model.safetensors") -> str:
    """What becomes of a request, as a code; "" if bytes would come."""
    try:
        line.open(Remote(f"{server.url}/f", "x"), Ask(file, SIZE, SHA256, start), lambda _: None).close()
    except SourceFault as fault:
        return "RANGES" if isinstance(fault, RangesUnusable) else fault.code
    return ""


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("HTTP/1.1 206 x\nContent-Range: bytes 4000-9999/10000\nContent-Length: 6000", ""),
        ("HTTP/1.1 206 x\nContent-Range: BYTES 4000-7999/10000\nContent-Length: 4000", ""),
        ("HTTP/1.1 206 x\nContent-Range: bytes 4000-9999/10001\nContent-Length: 6000", "SIZE_MISMATCH"),
        ("HTTP/1.1 206 x\nContent-Range: bytes 4000-9999/*\nContent-Length: 6000", "RANGES"),
        ("HTTP/1.1 206 x\nContent-Range: bytes 3999-9999/10000\nContent-Length: 6001", "RANGES"),
        ("HTTP/1.1 206 x\nContent-Range: bytes 4000-3000/10000\nContent-Length: 6001", "RANGES"),
        ("HTTP/1.1 206 x\nContent-Range: bytes -4000-9999/10000", "RANGES"),
        ("HTTP/1.1 206 x\nContent-Length: 6000", "RANGES"),
        ("HTTP/1.1 206 x\nContent-Type: multipart/byteranges; boundary=x\nContent-Length: 6000", "RANGES"),
        ("HTTP/1.1 206 x\nContent-Range: bytes 4000-9999/10000\nContent-Encoding: gzip", "RANGES"),
        ("HTTP/1.1 200 x\nContent-Length: 10000", ""),
        ("HTTP/1.1 200 x\nContent-Length: 6000", "SIZE_MISMATCH"),
        ("HTTP/1.1 416 x\nContent-Range: bytes */10000\nContent-Length: 0", "RANGES"),
        ("HTTP/1.1 416 x\nContent-Length: 0", "RANGES"),
        ("HTTP/1.1 416 x\nContent-Range: bytes */4000\nContent-Length: 0", "SIZE_MISMATCH"),
    ],
)
def test_answers_to_a_range(line: Line, head: str, code: str) -> None:
    with raw_server(says(head)) as server:
        assert code_of(line, server, 4000) == code
    assert server.header("Range") == ["bytes=4000-"]
    assert server.header("Accept-Encoding") == ["identity"]


@pytest.mark.parametrize(
    ("head", "body", "code"),
    [
        ("HTTP/1.1 200 x\nContent-Length: 10000\nContent-Type: text/html", b"", ""),
        ("HTTP/1.1 200 x\nContent-Type: text/html", b"<html>", "NOT_A_HUB"),
        ("HTTP/1.1 200 x\nContent-Type: application/json\nContent-Length: 5", b"{...}", "NOT_A_HUB"),
        ("HTTP/1.1 200 x\nContent-Type: text/plain\nContent-Length: 9", b"\n <!DOCTY", "NOT_A_HUB"),
        ("HTTP/1.1 200 x\nContent-Length: 9", b"", "SIZE_MISMATCH"),
        ("HTTP/1.1 200 x\nContent-Length: 9\nContent-Length: 10000", b"", "NOT_A_HUB"),
        ("HTTP/1.1 200 x\nContent-Encoding: br\nContent-Length: 9", b"", "NOT_A_HUB"),
        ("HTTP/1.1 206 x\nContent-Range: bytes 0-9/10000\nContent-Length: 10", b"", "NOT_A_HUB"),
        ("HTTP/1.1 302 x\nContent-Length: 0", b"", "NOT_A_HUB"),
        ("HTTP/1.1 302 x\nLocation: ftp://127.0.0.1/x\nContent-Length: 0", b"", "NOT_A_HUB"),
        ("HTTP/1.1 302 x\nLocation: http://[x/\nContent-Length: 0", b"", "NOT_A_HUB"),
        ("HTTP/1.1 302 x\nLocation: /again\nConnection: close\nContent-Length: 0", b"", "NOT_A_HUB"),
        ("HTTP/1.1 302 x\nX-Linked-Size: 9\nLocation: /f", b"", "SIZE_MISMATCH"),
        (f'HTTP/1.1 302 x\nX-Linked-Etag: "{"0" * 64}"\nLocation: /f', b"", "REMOTE_CHANGED"),
        ("SSH-2.0-OpenSSH_9.6", b"", "NOT_A_HUB"),
        ("HTTP/1.1 abc x", b"", "NOT_A_HUB"),
        ("HTTP/1.1 200 x\nX-Long: " + "x" * 100_000, b"", "NOT_A_HUB"),
    ],
)
def test_what_is_not_a_file(line: Line, head: str, body: bytes, code: str) -> None:
    with raw_server(says(head, body)) as server:
        assert code_of(line, server) == code


@pytest.mark.parametrize(
    ("body", "code"),
    [(b'{"Code": 10010205001, "Success": false}', "NOT_A_HUB"), (b'{"model_type": "qwen3"}', "SIZE_MISMATCH")],
)
def test_a_message_in_the_place_of_a_small_json_file(line: Line, body: bytes, code: str) -> None:
    with raw_server(says(f"HTTP/1.1 200 x\n{JSON_TYPE}\nContent-Length: {len(body)}", body)) as server:
        assert code_of(line, server, file="config.json") == code


def test_a_page_without_tls_is_no_place_that_a_hub_sends_to() -> None:
    with pytest.raises(SourceFault) as caught:
        http._next("https://hub/f", "http://hub/login", "hub")
    assert caught.value.code == "NOT_A_HUB"


def test_statuses_of_an_address_that_the_hub_gave() -> None:
    codes = [status_fault(status, {}, "x", redirected=True).code for status in (400, 403, 404, 429, 503)]
    assert codes == ["URL_EXPIRED", "URL_EXPIRED", "NOT_FOUND", "RATE_LIMITED", "SERVER_5XX"]


def test_retry_after_is_seconds_or_a_date() -> None:
    soon = retry_after_s({"Retry-After": formatdate(time.time() + 30, usegmt=True)})
    assert soon is not None
    assert 20 < soon < 40
    told = ["7", " 7 ", "-7", "0", "soon", "", "9" * 50, "Wed, 21 Oct 2015 07:28:00 GMT", "²"]
    assert [retry_after_s({"Retry-After": text}) for text in told] == [7, 7, None, 0, None, None, 999999999, 0, None]


# Bodies, all the way into a part


def chunked(*pieces: bytes, ends: bool = True) -> Answer:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + (b"0\r\n\r\n" if ends else b"")
    return says("HTTP/1.1 200 x\nTransfer-Encoding: chunked", body)


@pytest.mark.parametrize(
    "answer",
    [
        chunked(CONTENT[:3000], CONTENT[3000:]),
        chunked(CONTENT, b"and more than was asked for"),
        says("HTTP/1.0 200 x", CONTENT),
        says("HTTP/1.1 200 x\nConnection: close", CONTENT + b"surplus"),
        says(
            f"HTTP/1.1 200 x\nContent-Encoding: gzip\nContent-Length: {len(gzip.compress(CONTENT))}",
            gzip.compress(CONTENT),
        ),
        says(f"HTTP/1.1 200 x\nContent-Encoding: identity\nContent-Length: {SIZE}", CONTENT),
        says(f"HTTP/1.1 200 x\nContent-Type: application/json\nContent-Length: {SIZE}", CONTENT),
    ],
)
def test_the_right_bytes_are_taken_however_they_come(tmp_path: Path, answer: Answer) -> None:
    with raw_server(answer) as server:
        assert fetched(tmp_path, server) == SHA256


def test_a_body_that_ends_early_is_gone_on_with(tmp_path: Path) -> None:
    for first in (chunked(CONTENT[:3000]), chunked(CONTENT[:3000], ends=False), says("HTTP/1.0 200 x", CONTENT[:3000])):
        with raw_server(first, sends(CONTENT)) as server:
            assert fetched(tmp_path, server) == SHA256
        assert server.header("Range") == ["", "bytes=3000-"]


def test_without_a_hash_a_body_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with raw_server(chunked(CONTENT + b"more")) as server, pytest.raises(SourceFault) as caught:
        fetched(tmp_path, server, sha256=None)
    assert caught.value.code == "SIZE_MISMATCH"


def test_a_broken_encoding_is_not_a_hub(tmp_path: Path) -> None:
    with (
        raw_server(says("HTTP/1.1 200 x\nContent-Encoding: gzip", CONTENT)) as server,
        pytest.raises(SourceFault) as caught,
    ):
        fetched(tmp_path, server)
    assert caught.value.code == "NOT_A_HUB"


def test_headers_that_drip_are_a_server_that_does_not_answer(tmp_path: Path) -> None:
    def drips(_head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with raw_server(drips) as server, pytest.raises(SourceFault) as caught:
        fetched(tmp_path, server, TransferOptions(silence_s=0.5, stall_s=1.5, backoff_s=0.01))
    assert caught.value.code == "NET_TIMEOUT"


@pytest.mark.usefixtures("log_handlers_put_back")
def test_a_signed_address_stays_out_of_the_log(tmp_path: Path, line: Line) -> None:
    setup_logging(tmp_path / "log", console=False)
    with raw_server(says("HTTP/1.1 200 x\nno header at all")) as server:
        line.open(Remote(f"{server.url}/f?Signature=secret", "x"), Ask("f", SIZE, SHA256), lambda _: None).close()
    with pytest.raises(SourceFault):
        line.open(Remote(f"{server.url}/f?Signature=secret", "x"), Ask("f", SIZE, SHA256), lambda _: None)
    assert "secret" not in (tmp_path / "log").read_text()


def fetched(folder: Path, server: RawServer, options: TransferOptions = PLAIN, sha256: str | None = SHA256) -> str:
    store, want = PartStore(folder), Want("model.safetensors", SIZE, sha256, "part")
    try:
        with store.open(want) as part:
            return transfer(part, lambda: Remote(server.url, "x"), options, cancelled=bool, progress=lambda _: None)
    finally:
        store.discard(want)
