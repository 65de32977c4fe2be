"""Serving an application in tests as it is served for people: uvicorn on a real port, loopback only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from tts_core.api.serving import listen

Serve = Callable[[ASGIApp], str]
"""Serves an application until the test ends; returns its address without a slash at the end."""


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Yields the address, without a slash at the end."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended before it served anything"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
