"""Gradio's queue waits: an idle page wakes nobody, and whatever a page does begins and ends as before."""

from __future__ import annotations

import asyncio
import json
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.conftest import SOON_S
from tts_core.access.visitor import IN_STATE, OWNER, Role, Visitor
from tts_core.ui.gradio_answers import HANDLERS
from tts_core.ui.gradio_patches import GuardedBlocks, guard_gradio
from tts_core.ui.gradio_queue import SHARES
from tts_core.ui.words import load_words

IDLE_S = 0.5
MOST_WAKES = 60
"""In that time: the server's own ticks and what Gradio does once a second. Its polling made it some hundred a page."""


class CountingSelector(selectors.DefaultSelector):
    """What an event loop sleeps in."""

    def __init__(self) -> None:
        super().__init__()
        self.wakes = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.wakes += 1
        return super().select(timeout)


class AskedByOwner:
    """Stands in for authentication: the pages give files to visitors that it has let in. A guest says who it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guest = Headers(scope=scope).get("guest", "") if scope["type"] == "http" else ""
        scope.setdefault("state", {})[IN_STATE] = Visitor(guest, Role.GUEST, guest) if guest else OWNER
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Studio:
    url: str
    selector: CountingSelector
    page: gr.Blocks
    began: threading.Event
    may_end: threading.Event


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Two pages, as the studio mounts them, asked by the owner."""
    guard_gradio()
    began, may_end = threading.Event(), threading.Event()

    def work(text: str, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008 - Gradio's way
        progress(0.5, desc="halfway")
        began.set()
        assert may_end.wait(SOON_S)
        return text + "!"

    app, pages = FastAPI(), []
    for path in ("/zh", "/"):
        with GuardedBlocks(load_words("en"), tmp_path_factory.mktemp("page")) as page:
            words = gr.Textbox()
            words.submit(work, words, words, api_name="work")
        pages.append(page.queue(max_size=2 * SHARES))
        gr.mount_gradio_app(app, page, path=path, app_kwargs={"exception_handlers": HANDLERS})
    app.add_middleware(AskedByOwner)
    selector, listener = CountingSelector(), socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    loop = asyncio.SelectorEventLoop(selector)
    thread = threading.Thread(target=loop.run_until_complete, args=(server.serve(sockets=[listener]),))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Studio(f"http://127.0.0.1:{listener.getsockname()[1]}/", selector, pages[-1], began, may_end)
    finally:
        may_end.set()
        server.should_exit = True
        thread.join(SOON_S)
        loop.close()
        listener.close()


def test_idle_pages_wake_nobody(studio: Studio) -> None:
    time.sleep(IDLE_S / 5)  # the start's own work
    before = studio.selector.wakes
    time.sleep(IDLE_S)
    assert studio.selector.wakes - before < MOST_WAKES


def test_an_event_waits_for_the_one_before_it_and_is_then_done(studio: Studio) -> None:
    studio.began.clear()
    studio.may_end.clear()
    with httpx.Client(base_url=studio.url, timeout=SOON_S, trust_env=False) as program:
        for text in ("one", "two"):  # the same session, so one stream tells of both
            asked = {"data": [text], "fn_index": 0, "session_hash": "x"}
            program.post("gradio_api/queue/join", json=asked).raise_for_status()
        assert studio.began.wait(SOON_S)
        before = studio.selector.wakes
        time.sleep(IDLE_S)
        assert studio.selector.wakes - before < MOST_WAKES, "one that waits is not looked for either"
        with program.stream("GET", "gradio_api/queue/data", params={"session_hash": "x"}) as stream:
            studio.may_end.set()
            told = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line]
    ended = [message["output"]["data"] for message in told if message["msg"] == "process_completed"]
    assert ended == [["one!"], ["two!"]]
    halfway = [unit["desc"] for message in told if message["msg"] == "progress" for unit in message["progress_data"]]
    assert halfway[0] == "halfway", "of the one that took its time"
    assert studio.page._queue.active_jobs.count(None) == len(studio.page._queue.active_jobs)


def test_a_visitors_events_fill_no_more_than_a_share_of_the_queue(studio: Studio) -> None:
    studio.began.clear()
    studio.may_end.clear()
    with httpx.Client(base_url=studio.url, timeout=SOON_S, trust_env=False) as program:

        def join(guest: str) -> int:
            asked = {"data": ["one"], "fn_index": 0, "session_hash": f"of {guest}"}
            return program.post("gradio_api/queue/join", json=asked, headers={"guest": guest}).status_code

        assert join("Anna") == 200
        assert studio.began.wait(SOON_S)
        assert [join("Anna") for _ in range(6)] == [200, 200, 429, 429, 429, 429]
        assert [join("Berta"), join("Clara")] == [200, 200]
        studio.may_end.set()
        with program.stream("GET", "gradio_api/queue/data?session_hash=of Clara", headers={"guest": "Clara"}) as stream:
            assert "one!" in "".join(stream.iter_lines()), "when it came to her turn"
