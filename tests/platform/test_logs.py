"""The log keeps facts, drops what could quote a text, and stays small."""

from __future__ import annotations

import asyncio
import logging
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.serving import Serve
from tts_core.domain.errors import EngineFailed
from tts_core.platform.logs import (
    KEPT_FILES,
    MAX_ALIKE,
    MAX_FILE_BYTES,
    MAX_KINDS,
    REPEAT_S,
    RepeatFilter,
    log_tail,
    setup_logging,
)

SECRET = "my very private sentence"
logger = logging.getLogger("tests.logs")


@pytest.fixture
def log_file(tmp_path: Path, log_handlers_put_back: None) -> Path:
    file = tmp_path / "logs" / "studio.log"
    setup_logging(file)
    return file


def log_error(error: Exception) -> None:
    try:
        raise error
    except type(error):
        logger.exception("It failed")


def test_facts_are_written(log_file: Path) -> None:
    logger.info("Spoke %.1f s", 2.5)
    assert log_tail(log_file, 1)[0].endswith("INFO tests.logs: Spoke 2.5 s")


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyError(SECRET), UnicodeError(SECRET), Exception(SECRET)])
def test_an_error_that_may_quote_a_text_is_logged_without_its_message(log_file: Path, error: Exception) -> None:
    log_error(error)
    written = log_file.read_text(encoding="utf-8")
    assert SECRET not in written
    assert type(error).__name__ in written
    assert "in log_error" in written


def test_a_quoting_error_behind_another_one_is_hidden_too(log_file: Path) -> None:
    error = EngineFailed(engine="builtin", reason="no sound")
    error.__cause__ = ValueError(SECRET)
    log_error(error)
    written = log_file.read_text(encoding="utf-8")
    assert SECRET not in written
    assert written.index("ValueError") < written.index("which led to") < written.index("The builtin engine can't speak")


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("CUDA out of memory")])
def test_an_error_about_the_machine_keeps_its_message(log_file: Path, error: Exception) -> None:
    log_error(error)
    assert str(error) in log_file.read_text(encoding="utf-8")


def test_a_lost_task_does_not_tell_its_text(log_file: Path) -> None:
    async def lose_a_task() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "future": ValueError(SECRET)}
        )

    asyncio.run(lose_a_task())
    written = log_file.read_text(encoding="utf-8")
    assert "never retrieved" in written
    assert SECRET not in written


async def break_at_start(scope: Scope, receive: Receive, send: Send) -> None:
    """As Starlette tells of a lifespan that failed: a stack that is a text."""
    assert scope["type"] == "lifespan"
    await receive()
    cause = ValueError(f'{SECRET}\n  File "{SECRET}.py", line 1, in secret\nSecret: {SECRET}')
    try:
        fail_with(cause)
    except KeyError:
        await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})


def fail_with(cause: Exception) -> NoReturn:
    raise KeyError(SECRET) from cause


async def break_always(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        raise KeyError(SECRET)


def test_why_a_server_does_not_start_is_kept_without_texts(log_file: Path) -> None:
    server = uvicorn.Server(uvicorn.Config(break_at_start, port=0, log_config=None, lifespan="on"))
    with suppress(SystemExit):
        server.run()
    written = log_file.read_text(encoding="utf-8")
    assert SECRET not in written
    assert "Secret" not in written
    assert "ERROR uvicorn.error: ValueError\n" in written
    assert "in break_at_start\n" in written
    assert "in fail_with\nKeyError\n" in written


def test_what_breaks_in_a_server_is_kept_with_its_stack(log_file: Path, serve: Serve) -> None:
    with httpx.Client(trust_env=False) as client:
        assert client.get(serve(break_always)).status_code == 500
    written = log_file.read_text(encoding="utf-8")
    assert SECRET not in written
    assert "in break_always" in written
    assert "KeyError: (message left out" in written


def test_the_console_hears_warnings_without_texts(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(log_file)  # again, so that the handler writes to the captured stream
    logger.info("quiet")
    log_error(ValueError(SECRET))
    told = capsys.readouterr().err
    assert "quiet" not in told
    assert "It failed" in told
    assert SECRET not in told


def test_setting_up_twice_writes_each_line_once(log_file: Path) -> None:
    setup_logging(log_file)
    logger.info("once")
    assert sum("once" in line for line in log_tail(log_file, 10)) == 1


def test_request_lines_of_libraries_stay_out(log_file: Path) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET /x")
    logging.getLogger("uvicorn.access").info("GET /x")
    logger.info("end")
    assert len(log_tail(log_file, 10)) == 1


def test_the_log_stays_small(log_file: Path) -> None:
    for _ in range(5 * MAX_FILE_BYTES // 10_000):
        logger.info("x" * 10_000)
    files = list(log_file.parent.iterdir())
    assert len(files) == KEPT_FILES
    assert sum(file.stat().st_size for file in files) <= KEPT_FILES * MAX_FILE_BYTES


@pytest.mark.usefixtures("log_handlers_put_back")
def test_a_folder_that_cannot_be_made_is_only_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    setup_logging(tmp_path / "file" / "studio.log")
    assert "No log file" in capsys.readouterr().err


def test_the_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none.log", 5) == []


@pytest.mark.parametrize("wanted", [0, 1, 3, 99_999, 100_000, 200_000])
@pytest.mark.parametrize("end", ["", "\n"])
def test_the_tail_is_the_last_lines(tmp_path: Path, wanted: int, end: str) -> None:
    lines = [f"第 {number} 行" for number in range(100_000)]
    file = tmp_path / "large.log"
    file.write_text("\n".join(lines) + end, encoding="utf-8")
    assert log_tail(file, wanted) == (lines[-wanted:] if wanted else [])


def test_what_repeats_is_written_a_few_times_a_minute_and_then_counted(log_file: Path) -> None:
    """As the event loop says it two thousand times a second where no connection can be taken."""

    def tell(at_s: float, error: Exception | None = None) -> None:
        record = logger.makeRecord(logger.name, logging.ERROR, "", 0, "out of resource\nsocket: 7", (), None)
        record.exc_info = None if error is None else (type(error), error, None)
        record.created = at_s
        logger.handle(record)

    for moment in range(500):
        tell(1000 + moment / 100)
    assert len(log_tail(log_file, 1000)) == MAX_ALIKE
    tell(1005, OSError("something else"))
    assert log_tail(log_file, 1)[0].endswith("something else"), "another error is another kind"
    tell(1000 + REPEAT_S)
    assert log_tail(log_file, 1)[0].endswith(f"out of resource ({500 - MAX_ALIKE} more like it were left out before)")
    tell(1001 + REPEAT_S)
    assert log_tail(log_file, 1)[0].endswith("out of resource")


def test_facts_may_repeat(log_file: Path) -> None:
    for _ in range(5 * MAX_ALIKE):
        logger.info("Spoke")
    assert len(log_tail(log_file, 1000)) == 5 * MAX_ALIKE


def test_kinds_that_are_counted_are_not_without_number(log_file: Path) -> None:
    repeats = RepeatFilter()
    for number in range(2 * MAX_KINDS):
        record = logger.makeRecord(logger.name, logging.WARNING, "", 0, f"warning {number}", (), None)
        assert repeats.filter(record)
    assert len(repeats._counts) == MAX_KINDS
