"""Text is compressed for those who take it; sound, streams and parts of files pass as they are, piece by piece."""

from __future__ import annotations

import asyncio
import gzip
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.types import Message, Receive, Scope, Send

from tts_core.api.compression import KEPT_TEXTS, MIN_BYTES, Compression

TEXT = b"the same words again, " * 100


class Answering:
    """An application that answers with these pieces, and notes what it was asked."""

    def __init__(self, pieces: list[bytes], kind: str, **headers: str) -> None:
        self.pieces = pieces
        self.headers = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.asked: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope)
        raw = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        for number, piece in enumerate(self.pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(self.pieces)})


def whole(text: bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> Answering:
    return Answering([text], kind, content_length=str(len(text)), **headers)


def ask(app: Compression, method: str = "GET", accept: str = "gzip, deflate, br", **headers: str) -> list[Message]:
    """What is sent for a request. In a thread: a browser that other tests opened keeps a loop in this one."""
    sent: list[Message] = []

    async def run() -> None:
        async def send(message: Message) -> None:
            sent.append(message)

        named = {"accept-encoding": accept, **headers}
        raw = [(name.encode(), value.encode()) for name, value in named.items()]
        await app({"type": "http", "method": method, "headers": raw}, None, send)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()
    return sent


def head(sent: list[Message]) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize(
    "kind", ["text/html; charset=utf-8", "text/css", "text/javascript", "application/json", "image/svg+xml"]
)
def test_a_text_is_compressed(kind: str) -> None:
    sent = ask(Compression(whole(TEXT, kind, etag='"a"')))
    headers = head(sent)
    assert gzip.decompress(sent[1]["body"]) == TEXT
    assert (headers["content-encoding"], headers["vary"], headers["etag"]) == ("gzip", "Accept-Encoding", 'W/"a"')
    assert int(headers["content-length"]) == len(sent[1]["body"]) < len(TEXT) / 10


def test_a_file_that_comes_in_pieces_is_compressed_whole() -> None:
    sent = ask(Compression(Answering([TEXT, TEXT], "text/css", content_length=str(2 * len(TEXT)))))
    assert gzip.decompress(sent[1]["body"]) == 2 * TEXT


@pytest.mark.parametrize(
    "answering",
    [
        whole(TEXT, "audio/wav"),
        whole(TEXT, "text/html", content_encoding="br"),
        whole(TEXT[: MIN_BYTES - 1]),
        Answering([TEXT, TEXT], "text/event-stream"),
        Answering([TEXT, TEXT], "application/json"),  # its length is not known: somebody waits for each piece
    ],
)
def test_what_is_no_whole_text_passes_piece_by_piece(answering: Answering) -> None:
    sent = ask(Compression(answering))
    assert [message["body"] for message in sent[1:]] == answering.pieces
    assert head(sent) == answering.headers


@pytest.mark.parametrize(
    "asked",
    [{"method": "POST"}, {"accept": ""}, {"accept": "br, gzip;q=0"}, {"accept": "identity"}, {"range": "bytes=0-9"}],
)
def test_nobody_gets_it_compressed_who_can_not_use_it(asked: dict[str, str]) -> None:
    sent = ask(Compression(whole(TEXT)), **asked)
    assert sent[1]["body"] == TEXT
    assert "content-encoding" not in head(sent)


def test_what_lies_behind_compresses_nothing_itself() -> None:
    behind = whole(TEXT)
    ask(Compression(behind))
    assert "accept-encoding" not in {name.decode() for name, _ in behind.asked[0]["headers"]}


def test_the_compressed_texts_that_are_kept_are_few() -> None:
    behind = whole(TEXT)
    compression = Compression(behind)
    for number in range(KEPT_TEXTS + 2):
        behind.pieces = [TEXT + str(number).zfill(4).encode()]
        ask(compression)
    assert len(compression._kept) == KEPT_TEXTS
