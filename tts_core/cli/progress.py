"""A line on a terminal that is written over as work goes on; nothing where stderr is not a terminal."""

from __future__ import annotations

import shutil
import sys

BAR_CELLS = 30
MIN_BAR_CELLS = 10


def show(text: str) -> None:
    if sys.stderr.isatty():
        columns = shutil.get_terminal_size().columns  # a line that wraps can't be written over
        print(f"\r\033[K{text[: columns - 1]}", end="", file=sys.stderr, flush=True)


def show_bar(done: int, total: int, text: str) -> None:
    room = shutil.get_terminal_size().columns - len(text) - len("[] 100 % ") - 1
    cells = max(MIN_BAR_CELLS, min(BAR_CELLS, room))
    filled = cells * done // total if total else 0
    show(f"[{'#' * filled}{'.' * (cells - filled)}] {100 * done // total if total else 0:3d} % {text}")


def clear() -> None:
    show("")
