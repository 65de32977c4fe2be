"""A service's process with all that it starts, in a group of its own, so that the supervisor passes Ctrl-C on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from tts_core.platform.supervision.service import ServicePlan

TellLine = Callable[[str, str], None]
"""A function that takes a service's name and a line that it printed."""


class Child:
    """A process that runs from the moment this is made. Raises OSError where it can't be started."""

    def __init__(self, plan: ServicePlan, folder: Path, report: TellLine) -> None:
        self._name = plan.name
        self._process = _start(plan.command, folder, plan.variables)
        self._reader = Thread(target=self._read, args=(report,), name=f"log-{plan.name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The process's exit status; None while it runs."""
        return self._process.poll()

    def stop(self, patience_s: float) -> None:
        """Ask the process to end, then end it and all that it has started."""
        if self._process.poll() is None:
            with suppress(OSError):
                _ask_to_end(self._process)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
        _end_group(self._process)
        self._process.wait()
        self._reader.join(1.0)

    def _read(self, report: TellLine) -> None:
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        with self._process.stdout as lines:
            for line in lines:
                report(self._name, line.rstrip("\r\n"))


def _start(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    windows = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(  # noqa: S603 - our own commands
        command,
        cwd=folder,
        env={**environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        creationflags=windows,
        start_new_session=sys.platform != "win32",
    )


def _ask_to_end(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        process.send_signal(signal.CTRL_BREAK_EVENT)  # the one that reaches a group; uvicorn treats it as Ctrl-C
    else:
        process.terminate()


def _end_group(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        if process.poll() is None:
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)  # noqa: S603, S607
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
