"""`serve-all` as people start it: one process on several ports, ports that are taken, what is said of it, Ctrl-C."""

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

import httpx
import psutil
import pytest

from tests import ROOT
from tests.conftest import SOON_S, wait_until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class ServeAll:
    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self.ports = {name: free_port() for name in ("yourtts", "embedding")}
        flags = [part for name, port in self.ports.items() for part in (f"--{name}-port", str(port))]
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("TTS_STUDIO_", "QWEN_"))
        }
        command = [sys.executable, "-m", "tts_core", "serve-all", "--data-dir", str(data_dir), *flags]
        self.command = [*command, *arguments]
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
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

    def ask(self, service: str, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=SOON_S, trust_env=False)

    def answers(self, service: str) -> bool:
        assert self.process.poll() is None, self.lines
        try:
            return self.ask(service, "/health").status_code == 200
        except httpx.TransportError:
            return False

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """The same command beside it."""
        return subprocess.run(
            [*self.command, *flags],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=SOON_S,
            check=False,
        )


@contextmanager
def serving_all(data_dir: Path, *arguments: str) -> Iterator[ServeAll]:
    running = ServeAll(data_dir, *arguments)
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
def test_one_process_serves_each_surface_on_its_own_port(tmp_path: Path) -> None:
    with serving_all(tmp_path, "yourtts", "embedding") as running:
        wait_until(lambda: running.answers("yourtts") and running.answers("embedding"))
        assert psutil.Process(running.process.pid).children() == []
        paths = {name: running.ask(name, "/openapi.json").json()["paths"].keys() for name in running.ports}
        assert "/register_speaker" in paths["yourtts"] - paths["embedding"]
        assert "/extract" in paths["embedding"] - paths["yourtts"]

        said = running.run("--status")
        assert (said.returncode, [line.split()[:2] for line in said.stdout.splitlines()]) == (
            0,
            [["yourtts", "healthy"], ["embedding", "healthy"]],
        )
        again = running.run()
        assert again.returncode == 2
        assert f"Port {running.ports['yourtts']}, which yourtts wants, is taken by a service like it" in again.stderr
        assert "--yourtts-port N" in again.stderr
        running.process.send_signal(signal.SIGINT)
        running.process.wait(SOON_S)
    assert running.process.returncode == 130
    assert any(line.startswith("embedding is on http") for line in running.lines), running.lines


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
    with serving_all(tmp_path, "--status", "embedding") as nobody:
        assert nobody.process.wait(SOON_S) == 2
    assert "[nothing_supervised]" in nobody.lines[-1]
