"""What guests read names no folder of this machine, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import anyio
import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tts_core.api.protection.path_mask import PathMask

FOLDERS = {"/studio-data": Path("/data"), "/studio-home": Path("/")}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("it lies in /data.", "it lies in /studio-data."),
        ('{"path": "/data/x"}', '{"path": "/studio-data/x"}'),
        ('{"log": "a\\n/data/x"}', '{"log": "a\\n/studio-data/x"}'),
        ("file:///data/x", "file:///studio-data/x"),
        ("/gradio_api/file=/data/x", "/gradio_api/file=/studio-data/x"),
        ("queue/data and ./dataBuffer.js and /database", "queue/data and ./dataBuffer.js and /database"),
    ],
)
def test_only_whole_paths_are_hidden(said: str, read: str) -> None:
    mask = PathMask(FOLDERS)

    async def masked(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(said)(*mask.over(scope, receive, send))

    async def ask() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(masked), base_url="http://studio") as client:
            return (await client.get("/")).text

    assert anyio.run(ask) == read
