"""Requests to the page's routes that name what does not exist: a short answer, and next to nothing in the log."""

from __future__ import annotations

import httpx
import pytest

from tests.ui.conftest import RunningApp

SECRET = "what-nobody-else-may-read"
NO_NUMBER = {"data": [SECRET], "fn_index": 99_999, "session_hash": "nobody"}
NO_NAME = {"data": [SECRET], "session_hash": "nobody"}
MOST_BYTES = 300
"""Of the log, for one request: a line."""


def log_bytes(app: RunningApp) -> int:
    with app.program() as program:
        program.get("health").raise_for_status()  # what was to be written before is written
    return len(app.log()) + len(app.printed())


@pytest.mark.parametrize("page", ["", "zh/"])
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("queue/join", NO_NUMBER, 404),
        ("queue/join", {**NO_NUMBER, "fn_index": -1}, 404),
        *((f"{way}/{SECRET}", NO_NAME, 404) for way in ("run", "api", "call", "call/v2")),
        *((f"{way}/predict", NO_NUMBER, 404) for way in ("run", "api", "call")),
        ("call/v2/synthesize", {SECRET: 1}, 422),
        ("run/synthesize", {"data": []}, 500),
        ("component_server", {"data": [], "component_id": 99_999, "session_hash": "x", "fn_name": SECRET}, 404),
    ],
)
def test_what_does_not_exist_is_said_in_a_line(
    app: RunningApp, page: str, path: str, body: dict[str, object], status: int
) -> None:
    before = log_bytes(app)
    with app.program() as program:
        answer = program.post(f"{page}gradio_api/{path}", json=body)
    assert (answer.status_code, len(answer.content) < MOST_BYTES) == (status, True)
    assert log_bytes(app) - before < MOST_BYTES
    assert SECRET not in answer.text + app.log() + app.printed()


@pytest.mark.parametrize("path", [f"queue/data?session_hash={SECRET}", f"call/synthesize/{SECRET}"])
def test_a_stream_of_nobody_ends_with_a_word(app: RunningApp, path: str) -> None:
    before = log_bytes(app)
    with app.program() as program:
        answer = program.get(f"gradio_api/{path}")  # raises where it is cut off
    assert "404: Not Found" in answer.text
    assert log_bytes(app) - before < MOST_BYTES
    assert SECRET not in app.log() + app.printed()


def test_two_who_listen_to_one_session_may_leave(app: RunningApp) -> None:
    before = log_bytes(app)
    with app.program() as program:
        events = program.get("config").json()["dependencies"]
        number = next(event["id"] for event in events if event["api_name"] == "synthesize")
        asked = {"data": [], "fn_index": number, "session_hash": "two"}
        streams = "gradio_api/queue/data?session_hash=two"
        for _ in range(3):
            program.post("gradio_api/queue/join", json=asked).raise_for_status()
            with program.stream("GET", streams) as one, httpx.stream("GET", app.url + streams) as other:
                assert [one.status_code, other.status_code] == [200, 200]
    assert log_bytes(app) - before < 10 * MOST_BYTES
    assert "Traceback" not in (app.log() + app.printed())[-2000:]
