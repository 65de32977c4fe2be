"""`serve-all` as people start it: real services, one of them killed, ports that are taken, Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import SOON_S, wait_until
from tests.platform.test_supervisor import free_port, gone
from tts_core.platform.paths import ROOT_DIR


class ServeAll:
    def __init__(self, data_dir: Path, *services: str) -> None:
        self.ports = {name: free_port() for name in ("embedding", "status")}
        flags = [part for name, port in self.ports.items() for part in (f"--{name}-port", str(port))]
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("TTS_STUDIO_", "QWEN_"))
        }
        self.command = [sys.executable, "-m", "tts_core", "serve-all", "--data-dir", str(data_dir), *flags, *services]
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT_DIR,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines.extend(line.rstrip() for line in lines)

    def status(self) -> dict[str, Any] | None:
        """Of the one service; None while nothing is told."""
        try:
            told = httpx.get(f"http://127.0.0.1:{self.ports['status']}/status", timeout=SOON_S, trust_env=False)
        except httpx.TransportError:
            assert self.process.poll() is None, self.lines
            return None
        found: dict[str, Any] = told.json()["services"][0]
        return found

    def until_healthy(self, restarts: int = 0) -> dict[str, Any]:
        def is_healthy() -> bool:
            told = self.status()
            return told is not None and told["state"] == "healthy" and told["restarts"] >= restarts

        wait_until(is_healthy)
        found = self.status()
        assert found is not None
        return found

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """The same command beside it."""
        return subprocess.run(
            [*self.command, *flags],
            cwd=ROOT_DIR,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=SOON_S,
            check=False,
        )


@contextmanager
def serving_all(data_dir: Path, *services: str) -> Iterator[ServeAll]:
    running = ServeAll(data_dir, *services)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
        try:
            running.process.wait(SOON_S)
        finally:
            running.process.kill()
            running.reader.join(SOON_S)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_a_killed_service_comes_back_and_ctrl_c_ends_all(tmp_path: Path) -> None:
    with serving_all(tmp_path, "embedding") as running:
        first = running.until_healthy()
        psutil.Process(first["pid"]).kill()
        second = running.until_healthy(restarts=1)
        assert second["pid"] != first["pid"]
        assert httpx.get(f"{second['url']}health", timeout=SOON_S, trust_env=False).status_code == 200

        told = running.run("--status")
        assert (told.returncode, told.stdout.split()[:3]) == (0, ["embedding", "healthy", second["url"]])
        page = httpx.get(
            f"http://127.0.0.1:{running.ports['status']}/",
            headers={"Accept-Language": "zh"},
            timeout=SOON_S,
            trust_env=False,
        ).text
        assert 'lang="zh-CN"' in page
        assert str(second["pid"]) in page

        again = running.run()
        assert again.returncode == 2
        assert (
            f"Port {running.ports['embedding']}, which embedding wants, is taken by a service like it" in again.stderr
        )
        assert "--embedding-port N" in again.stderr
        service = psutil.Process(second["pid"])
        running.process.send_signal(signal.SIGINT)
        running.process.wait(SOON_S)
    assert gone(service)
    assert running.process.returncode == 130
    assert any(line.startswith("embedding | ") and "is on http" in line for line in running.lines), running.lines


@pytest.mark.slow
def test_what_cannot_be_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with serving_all(tmp_path, "embedding", "--embedding-port", str(port)) as refused:
            assert refused.process.wait(SOON_S) == 2
    assert "is taken by another program" in refused.lines[-1]
    with serving_all(tmp_path, "piano") as unknown:
        assert unknown.process.wait(SOON_S) == 2
    assert "[unknown_service]" in unknown.lines[-1]
    with serving_all(tmp_path, "--status") as nobody:
        assert nobody.process.wait(SOON_S) == 2
    assert "[nothing_supervised]" in nobody.lines[-1]
