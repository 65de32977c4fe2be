"""Another engine in a process of its own, which runs `peer_runner`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from tts_core.cli.bench.hearing import AUDIBLE, Chunk, Playback
from tts_core.cli.faults import MeasurementFailed, PeerMissing, PeerNeedsCuda
from tts_core.platform.system import peak_bytes

PEERS = ("qwen-tts", "faster-qwen3-tts")
_RUNNER = Path(__file__).with_name("peer_runner.py")


@dataclass(frozen=True, slots=True)
class PeerChoice:
    name: str
    """The peer's name, one of PEERS."""
    python: Path
    """The Python of the environment that the peer is installed in."""
    precision: str | None
    """torch's name of a dtype; None means bfloat16 on a graphics card, float32 elsewhere."""


@dataclass(frozen=True, slots=True)
class Task:
    """The work that both engines do."""

    folder: Path
    device: str
    """torch's own name of the device."""
    threads: int
    frames: int
    text: str


class Peer:
    """A running peer; make it with `start`."""

    def __init__(self, choice: PeerChoice, process: subprocess.Popen[str], task: Task, precision: str) -> None:
        self.choice = choice
        self.precision = precision
        self.gpu_peak_bytes: int | None = None
        self._process = process
        self._requests, self._answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        self._task = task
        loaded = self._answer()
        self.load_s: float = loaded["load_s"]
        self.versions: dict[str, str] = loaded["versions"]
        self._pid: int = loaded["pid"]

    @property
    def peak_bytes(self) -> int:
        """The most RAM that the peer's process has held."""
        return peak_bytes(self._pid)

    def speak(self, seed: int) -> Playback:
        """Have the peer make one take. Raises MeasurementFailed."""
        try:
            self._requests.write(json.dumps({"seed": seed}) + "\n")
            self._requests.flush()
        except OSError as error:
            raise self._has_ended() from error
        take = self._answer()
        self.gpu_peak_bytes = take["gpu_peak_bytes"]
        return Playback(tuple(Chunk(*chunk) for chunk in take["chunks"]), take["wall_s"], take["sample_rate"])

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise self._has_ended()
        answer: dict[str, Any] = json.loads(line)
        failed, name, reason = answer.get("failed"), self.choice.name, answer.get("reason")
        if failed == "missing":
            raise PeerMissing(subject=name, python=self.choice.python, reason=reason)
        if failed == "no_cuda":
            raise PeerNeedsCuda(subject=name, device=self._task.device)
        if failed is not None:
            raise MeasurementFailed(subject=name, reason=reason)
        return answer

    def _has_ended(self) -> MeasurementFailed:
        return MeasurementFailed(subject=self.choice.name, reason=f"it ended with status {self._process.wait()}.")


@contextmanager
def start(choice: PeerChoice, task: Task) -> Iterator[Peer]:
    """Start a peer and let it load the model; its process ends with the context.

    Raises PeerMissing, PeerNeedsCuda or MeasurementFailed.
    """
    precision = choice.precision or ("float32" if task.device == "cpu" else "bfloat16")
    order = {
        "peer": choice.name,
        "folder": str(task.folder.resolve()),
        "device": task.device,
        "precision": precision,
        "threads": task.threads,
        "frames": task.frames,
        "text": task.text,
        "audible": AUDIBLE,
    }
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(  # noqa: S603 - our own script, by a Python that the user names
            [str(choice.python), str(_RUNNER), json.dumps(order)],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    except OSError as error:
        raise PeerMissing(subject=choice.name, python=choice.python, reason=error.strerror) from error
    with process:
        try:
            yield Peer(choice, process, task, precision)
        finally:
            process.kill()
            with suppress(OSError):  # the peer did not read everything
                cast(IO[str], process.stdin).close()
