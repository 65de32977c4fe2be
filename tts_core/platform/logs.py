"""The log: one rotating file and warnings on the console. Writes no text that was sent to be spoken, and the
same warning only a few times a minute, so that no client can fill the disk or the console with them.

Our own log calls carry facts, never texts. Other people's errors may quote what they were given (pydantic and KeyError
do), so the message of an error is written only for the types in `SPEAKING_ERRORS`; of others, type and stack.
"""

from __future__ import annotations

import copy
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from tts_core.domain.errors import StudioError
from tts_core.platform.whole_files import make_private, open_private

MAX_FILE_BYTES = 1_000_000
KEPT_FILES = 3
LINE_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
NOISY_LOGGERS = ("httpx", "httpx2", "uvicorn.access", "huggingface_hub", "modelscope", "numba", "matplotlib", "PIL")
"""Loggers that write a line per request or per step; only warnings and errors of theirs stay."""
ADDRESS_LOGGERS = ("urllib3", "mcp")
"""Loggers whose warnings quote whole addresses, signatures included, or requests; only their errors stay."""
TEXT_LOGGERS = ("piper",)
"""Loggers whose warnings quote the spoken text; only their errors stay."""
SPEAKING_ERRORS = (StudioError, OSError, ImportError, MemoryError, RuntimeError)
"""Errors whose message is about machines, files and devices rather than the request's content."""
MAX_ALIKE = 10
"""The most warnings of one kind written within REPEAT_S."""
REPEAT_S = 60.0
MAX_KINDS = 1000
"""The most kinds that are counted at once."""
_LEFT_OUT = "left_out"
_HANDLER_NAMES = ("tts_studio.file", "tts_studio.console")
_TAIL_BLOCK_BYTES = 64 * 1024

_STACK_HEADER = "Traceback (most recent call last):"
_FRAME = re.compile(r'[ |]*File "(?P<file>[^"]+)", line \d+, in [\w.<>]+')
_ERROR = re.compile(r"(?: *\| )?(?P<name>[A-Za-z_][\w.]*)(?::.*)?")
"""The error that ends a stack Python has written out; `_FRAME` is a place in it. A group's lines begin with a bar."""

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PrivateFormatter(logging.Formatter):
    """A formatter of one line, then an error's stack, with the error's message only where it can't quote a request."""

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.exc_text = None  # another handler's traceback, cached there with its message
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = "\n".join(_without_quotes(record.message.split("\n")))
        lines = super().formatMessage(record)
        left_out = getattr(record, _LEFT_OUT, 0)
        return f"{lines} ({left_out} more like it were left out before)" if left_out else lines

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - logging's name
        error = ei[1]
        return "" if error is None else "\n".join(_describe(error))


class _PrivateFile(RotatingFileHandler):
    _is_full = False

    def _open(self) -> Any:
        return open_private(Path(self.baseFilename), self.mode)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say once, on the console, that the disk takes no more lines; logging itself would print a stack for each."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_full:
            self._is_full = True
            logging.getLogger(__name__).warning("The log file can't be written: %s", error.strerror)


class RepeatFilter(logging.Filter):
    """Lets MAX_ALIKE warnings or errors of one kind pass in REPEAT_S; the next one after that says how many did not.

    Records are of one kind if they come from one place in the code, whatever its parameters, with one type of error.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[object, ...], tuple[float, int]] = {}
        """The time of each kind's first record, and the number of records since."""
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        kind = record.exc_info[0] if record.exc_info else None
        key = (record.name, record.levelno, str(record.msg).partition("\n")[0], kind)
        with self._lock:
            began, count = self._counts.pop(key, (record.created, 0))
            if not 0 <= record.created - began < REPEAT_S:
                setattr(record, _LEFT_OUT, max(0, count - MAX_ALIKE))
                began, count = record.created, 0
            if len(self._counts) >= MAX_KINDS:
                del self._counts[next(iter(self._counts))]  # the kind that has not come for the longest time
            self._counts[key] = began, count + 1
        return count < MAX_ALIKE


def setup_logging(log_file: Path, *, console: bool = True) -> None:
    """Log INFO and above to `log_file` and, with `console`, warnings to stderr. Calling again replaces the handlers.

    A folder that can't be written leaves only the console: the studio can speak without a log file.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.get_name() in _HANDLER_NAMES]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.INFO)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in (*ADDRESS_LOGGERS, *TEXT_LOGGERS):
        logging.getLogger(name).setLevel(logging.ERROR)
    file_name, console_name = _HANDLER_NAMES
    if console:
        _add(root, logging.StreamHandler(), name=console_name, level=logging.WARNING)
    try:
        log_file.parent.parent.mkdir(parents=True, exist_ok=True)  # the data folder: models in it are no secret
        make_private(log_file.parent)
        file_handler = _PrivateFile(log_file, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES - 1, encoding="utf-8")
    except OSError as error:
        root.warning("No log file: %s", error)
    else:
        _add(root, file_handler, name=file_name, level=logging.INFO)


def log_tail(log_file: Path, lines: int) -> list[str]:
    """The last `lines` lines without their line ends, oldest first; empty when there is no log.

    Reads from the end, so a large file costs no more than a small one.
    """
    try:
        with log_file.open("rb") as log:
            position = log.seek(0, 2)
            tail = b""
            while position > 0 and tail.count(b"\n") <= lines:
                start = max(0, position - _TAIL_BLOCK_BYTES)
                log.seek(start)
                tail = log.read(position - start) + tail
                position = start
    except FileNotFoundError:
        return []
    return tail.decode("utf-8", errors="replace").splitlines()[-lines:] if lines > 0 else []


def _add(root: logging.Logger, handler: logging.Handler, *, name: str, level: int) -> None:
    handler.set_name(name)
    handler.setLevel(level)
    handler.addFilter(RepeatFilter())
    handler.setFormatter(PrivateFormatter(LINE_FORMAT))
    root.addHandler(handler)


def _without_quotes(lines: list[str]) -> Iterator[str]:
    """The first line, then the places and the errors' types of the stacks that are written out below it.

    uvicorn logs such a stack when starting fails. All other lines may quote a request, as asyncio quotes a task's
    error.
    """
    # A stack begins with an error's own line where that error is only the cause of one that was raised.
    first = _ERROR.fullmatch(lines[0]) if _STACK_HEADER in lines[1:] else None
    yield lines[0] if first is None else first["name"]
    is_in_stack = False
    for line in lines[1:]:
        if (frame := _FRAME.fullmatch(line)) and Path(frame["file"]).is_file():
            is_in_stack = True
            yield line
        elif is_in_stack and (error := _ERROR.fullmatch(line)):
            is_in_stack = False
            yield error["name"]


def _describe(error: BaseException) -> Iterator[str]:
    """The lines of an error's stack, its causes first, as Python prints them."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _describe(cause)
        yield "which led to:"
    yield _STACK_HEADER
    yield from (line.rstrip("\n") for line in traceback.format_tb(error.__traceback__))
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    message = str(error) if isinstance(error, SPEAKING_ERRORS) else "(message left out: it may quote a request)"
    yield f"{name}: {message}"
