"""`python -m tts_core download` as a process of its own, seen from outside: events, end, bytes on disk."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hubs.hub import LoopbackHub
from tests.hubs.hubs import Hubs
from tests.hubs.models import PublishedModel
from tts_core.platform.paths import ROOT_DIR, Paths

Event = dict[str, Any]
END_TIMEOUT_S = 120.0
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL")


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one installation."""

    root: Path

    @property
    def paths(self) -> Paths:
        return Paths(data_dir=self.root / "data", models_dir=self.root / "models")

    def file(self, model: PublishedModel, path: str) -> Path:
        return self.paths.models_dir / model.local / path

    def holds(self, model: PublishedModel) -> bool:
        """Every file is there, byte for byte."""
        return all(self.file(model, path).is_file() for path in model.files) and all(
            sha256_of(self.file(model, path)) == file.sha256 for path, file in model.files.items()
        )


class DownloadProcess:
    """Starts at once; use it with `with`, so that none is left behind."""

    def __init__(
        self, hubs: Hubs, home: Home, key: str, *, source: str = "auto", environ: Mapping[str, str] | None = None
    ) -> None:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        folders = {"TTS_STUDIO_DATA_DIR": str(home.paths.data_dir), "QWEN_TTS_MODELS_DIR": str(home.paths.models_dir)}
        command = [sys.executable, "-m", "tts_core", "download", key, "--source", source, "--json"]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT_DIR,
            env={**kept, **hubs.environ(), **folders, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.events: list[Event] = []
        self.stderr = ""
        self.ended_at = 0.0
        """Of time.monotonic, once it is over."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._complaints = threading.Thread(target=self._read_complaints, daemon=True)
        self._reader.start()
        self._complaints.start()

    def __enter__(self) -> DownloadProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL (Windows: TerminateProcess), and wait for the end."""
        self._process.kill()
        self._process.wait()
        self._reader.join(10)
        self._complaints.join(10)

    def interrupt(self, signal_number: int) -> None:
        self._process.send_signal(signal_number)

    def end(self) -> Event:
        """Wait for it and return its last event, with `exit` added."""
        try:
            status = self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still at work after {END_TIMEOUT_S} s: {self.events[-1:]}\n{self.stderr}") from None
        self._reader.join(10)
        self._complaints.join(10)
        assert self.events, self.stderr
        return {**self.events[-1], "exit": status}

    def wait_for(self, condition: Callable[[Event], bool], *, timeout_s: float = 120.0) -> Event:
        """The first event that fits, of those that came or will come."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for event in tuple(self.events):
                if condition(event):
                    return event
            assert self._process.poll() is None or self._reader.is_alive(), f"it ended: {self.events}\n{self.stderr}"
            time.sleep(0.01)
        raise AssertionError(f"no such event within {timeout_s} s: {self.events[-3:]}\n{self.stderr}")

    def until(self, condition: Callable[[], bool], *, timeout_s: float = 120.0) -> None:
        """Wait for something outside the process, which has to be at work meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self._process.poll() is None, f"it ended: {self.events[-1:]}\n{self.stderr}"
            assert time.monotonic() < deadline, f"did not happen within {timeout_s} s: {self.events[-1:]}"
            time.sleep(0.01)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.append(json.loads(line))
        self.ended_at = time.monotonic()

    def _read_complaints(self) -> None:
        assert self._process.stderr is not None
        self.stderr = self._process.stderr.read()


def sha256_of(file: Path) -> str:
    sha256 = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
    return sha256.hexdigest()


def codes(event: Event) -> dict[str, str]:
    """Source to the code of its last failure."""
    return {note["source"]: note["code"] for note in event["notes"]}


def never_falls(events: list[Event]) -> bool:
    """Progress only grows."""
    done = [event["downloaded_bytes"] for event in events]
    return done == sorted(done)


def sent_spans(hubs: Iterable[LoopbackHub], path: str) -> list[tuple[int, int]]:
    """(start, stop) of what was sent of a file by all of them, in order of offsets."""
    return sorted(span for hub in hubs for span in hub.log.ranges(path) if span[0] < span[1])


def sent_twice(spans: Iterable[tuple[int, int]]) -> int:
    """Bytes of the file that went over the network more than once."""
    twice, reached = 0, 0
    for start, stop in sorted(spans):
        twice += max(0, min(reached, stop) - start)
        reached = max(reached, stop)
    return twice
