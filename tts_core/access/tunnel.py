"""The helper program as a process: started, listened to, ended."""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from tts_core.access.faults import HelperUnusable, TunnelFailed, TunnelSilent
from tts_core.access.share_server import Server

READY_S = 30.0
"""The seconds that the share server has to give a link."""
END_S = 5.0
_READY = re.compile(r"start proxy success: (https?://\S+)")
_FAILED = re.compile(r"login to server failed|start error", re.IGNORECASE)
_CONTROL = re.compile(r"\x1b\[[0-9;]*m|[^\x20-\x7e]")
_LINE_CHARS = 200


class Tunnel:
    """The helper program while it runs, and its link."""

    def __init__(self, process: subprocess.Popen[str], server: Server) -> None:
        self._process = process
        self._server = server
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=1)
        self._reader = Thread(target=self._read, name="share-helper", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, helper: Path, server: Server, port: int) -> Tunnel:
        """Start the helper, which leads from the share server to `port` of this machine. Raises HelperUnusable."""
        # As Gradio calls it: its own build of frpc knows no other way. The name never begins with a dash, as an option.
        command = [
            *(str(helper), "http", "-n", secrets.token_hex(32), "-l", str(port), "-i", "127.0.0.1"),
            *("--uc", "--sd", "random", "--ue", "--server_addr", server.address, "--disable_log_color"),
        ]
        if server.certificate is not None:
            command += ["--tls_enable", "--tls_trusted_ca_file", str(server.certificate)]
        try:
            process = subprocess.Popen(  # noqa: S603 - the checked helper, or the one the owner names
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise HelperUnusable(file=str(helper), reason=error.strerror or type(error).__name__) from error
        return cls(process, server)

    @property
    def last_line(self) -> str:
        """The helper's last line of output."""
        return self._last_lines[-1] if self._last_lines else "it said nothing"

    def link(self, timeout_s: float = READY_S) -> str:
        """Wait for the link. Raises TunnelFailed, TunnelSilent."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise TunnelSilent(
                    server=self._server.address, last_line=self.last_line, seconds=round(timeout_s)
                ) from None
            if line is not None and (ready := _READY.search(line)):
                return ready[1]
            if line is None or _FAILED.search(line):
                raise TunnelFailed(server=self._server.address, last_line=self.last_line)

    def wait(self, ended: Callable[[], None]) -> None:
        """Call `ended`, from a thread of its own, when the helper has ended."""

        def watch() -> None:
            self._process.wait()
            self._reader.join(END_S)
            ended()

        Thread(target=watch, name="share-end", daemon=True).start()

    def close(self) -> None:
        """End the helper; harmless when it has ended."""
        with suppress(OSError):
            self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        """Read the helper's output to its end: a helper whose output nobody reads would stop."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        with self._process.stdout as lines:
            for line in lines:
                if text := _CONTROL.sub("", line).strip():
                    self._last_lines.append(text[:_LINE_CHARS])
                    self._lines.put(text)
        self._lines.put(None)
