"""Changes of models and voices as they happen: server-sent events and a WebSocket, two forms of the same stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from itertools import filterfalse
from typing import Annotated, Any

from anyio import create_task_group, fail_after
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

from tts_core.api.context import UseServices, UseStreams
from tts_core.api.errors import failure_response, failures
from tts_core.api.faults import OriginNotAllowed, TooManyStreams, UpgradeRequired
from tts_core.api.streams import RECONNECT_MS, Beats, HeldResponse, Streams, last_seen, server_event
from tts_core.api.studio.messages.shapes import (
    AnyMessage,
    ModelEvent,
    initial_state,
    socket_message,
    socket_messages,
)
from tts_core.models.download_task import DownloadTask
from tts_core.platform.job import Job, JobKind
from tts_core.services import Services

router = APIRouter(tags=["events"])

MAX_MESSAGE_CHARS = 4096
"""The longest message that a client may send over a WebSocket, in characters: it has nothing to send but "ping"."""
MESSAGE_TOO_BIG = 1009
_EXAMPLE = (
    'event: model_progress\ndata: {"type": "model_progress", "model_id": "custom_0_6b", "status": "downloading", '
    '"progress": 41.3, "message": "Downloading model.safetensors from ModelScope.", …}\nid: 1718\n\n'
    'event: heartbeat\ndata: {"type": "heartbeat", "count": 1}\n\n'
)


@router.get(
    "/api/models/events",
    status_code=200,
    response_class=HeldResponse,
    responses={
        **failures(TooManyStreams, OriginNotAllowed),
        200: {
            "model": ModelEvent,
            "description": "Server-sent events; the schema is that of the `data` of `model_*`.",
            "content": {
                "text/event-stream": {
                    "schema": {"$ref": "#/components/schemas/ModelEvent"},
                    "examples": {"stream": {"value": _EXAMPLE}},
                }
            },
        },
    },
)
async def model_events(
    services: UseServices, streams: UseStreams, last_event_id: Annotated[str | None, Header()] = None
) -> HeldResponse:
    """Server-sent events. First `initial_state` with all `models`, as `/models` lists them and with their progress;
    then, whenever a download changes, `model_progress`, `model_complete`, `model_error` or `model_incomplete`
    (paused or stopped); every 30 s `heartbeat`. Who reconnects with `Last-Event-ID` is told every end it missed.
    """
    return HeldResponse(streams, _events(services, streams, last_event_id))


@router.get(
    "/ws",
    response_model=AnyMessage,
    response_description="One message of the WebSocket",
    responses=failures(UpgradeRequired, TooManyStreams, OriginNotAllowed),
)
async def socket_over_http() -> Response:
    """A WebSocket: connect with `ws://`. It sends what is described here, one JSON text a message: first every
    download and every other job that is not over, then each change. `?after_seq=` tells what came after a message
    about a model with that `seq`, `?after_job_seq=` after one about another job. A client that sends
    `{"type": "ping"}` gets `{"type": "pong"}`.
    """
    return failure_response(UpgradeRequired(), {"Upgrade": "websocket"})


@router.websocket("/ws")
async def socket(websocket: WebSocket, services: UseServices, streams: UseStreams) -> None:
    try:
        with streams.place():
            # Read before the connection is accepted: every later change is sent.
            jobs, asked = services.jobs.jobs(), websocket.query_params
            after_download = last_seen(filter(_is_download, jobs), asked.get("after_seq"))
            after_other = last_seen(filterfalse(_is_download, jobs), asked.get("after_job_seq"))

            def is_news(job: Job) -> bool:
                return job.seq > (after_download if _is_download(job) else after_other)

            going_on = [job for job in jobs if not job.state.is_over and not is_news(job)]
            news = streams.changes(services.jobs, min(after_download, after_other), is_news)
            await websocket.accept()
            async with create_task_group() as both:

                async def send_news() -> None:
                    await _send_all(websocket, streams, going_on, news, after_other)
                    both.cancel_scope.cancel()

                both.start_soon(send_news)
                await _listen(websocket, streams)
                both.cancel_scope.cancel()
    except TooManyStreams as error:
        await websocket.send_denial_response(failure_response(error))


async def _events(services: Services, streams: Streams, last_event_id: str | None) -> AsyncGenerator[bytes, None]:
    after_seq = last_seen(services.downloads.tasks(), last_event_id)
    state = initial_state(await run_sync(services.models.statuses))
    yield server_event(state, number=str(after_seq), retry=RECONNECT_MS)
    beats = Beats(streams)
    async with aclosing(streams.changes(services.jobs, after_seq, _is_download)) as changes:
        async for job in changes:
            if isinstance(job, DownloadTask):
                yield server_event(ModelEvent.of(job).model_dump(mode="json"), number=str(job.seq))
            if (beat := beats.due()) is not None:
                yield beat


async def _send_all(
    websocket: WebSocket,
    streams: Streams,
    going_on: Iterable[Job],
    news: AsyncGenerator[Job | None, None],
    after_other: int,
) -> None:
    """Send the running jobs, then every change, until the client has gone or reads no more, or the server ends.

    No phase of a voice's preparation after the number `after_other` is left out, however quick it was.
    """
    sent: dict[str, int] = {}
    with suppress(WebSocketDisconnect, TimeoutError):
        async with aclosing(news):
            for job in going_on:
                await _send(websocket, socket_message(job).model_dump(mode="json"), streams)
                sent[job.key] = job.seq
            async for change in news:
                if change is None:
                    continue
                for message in socket_messages(change, sent.get(change.key, after_other)):
                    await _send(websocket, message.model_dump(mode="json"), streams)
                sent[change.key] = change.seq
                if change.state.is_over:
                    del sent[change.key]  # another run passes its own phases


def _is_download(job: Job) -> bool:
    return job.kind is JobKind.DOWNLOAD


async def _listen(websocket: WebSocket, streams: Streams) -> None:
    """Answer pings until the client has gone. All other messages are ignored."""
    with suppress(WebSocketDisconnect, TimeoutError):
        while (message := await websocket.receive())["type"] != "websocket.disconnect":
            text = message.get("text") or ""
            if len(text) > MAX_MESSAGE_CHARS or len(message.get("bytes") or b"") > MAX_MESSAGE_CHARS:
                await websocket.close(MESSAGE_TOO_BIG)
                return
            if _is_ping(text):
                await _send(websocket, {"type": "pong"}, streams)


async def _send(websocket: WebSocket, message: dict[str, Any], streams: Streams) -> None:
    with fail_after(streams.send_timeout_s):
        await websocket.send_text(json.dumps(message, ensure_ascii=False))


def _is_ping(text: str) -> bool:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("type") == "ping"
