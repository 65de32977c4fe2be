"""The studio's side of YourTTS's process: started when needed, started again after a crash, ended with the studio."""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import EngineFailed
from tts_core.engines.yourtts.framing import NOTHING, BrokenMessage, Floats, read_message, write_message
from tts_core.platform.paths import ROOT_DIR

logger = logging.getLogger(__name__)

NAME = "YourTTS"
_LOOK_S = 0.1
_FAREWELL_S = 5.0
_KEPT_LINES = 5
_RUN = (
    "import runpy, sys; sys.path.append(sys.argv.pop()); "
    "runpy.run_module('tts_core.engines.yourtts.service', run_name='__main__', alter_sys=True)"
)
"""The code that the process runs. Its own packages come first: of the studio it imports only what knows no library."""


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The facts that the process reports about the loaded model."""

    languages: tuple[str, ...]
    speakers: tuple[str, ...]
    sample_rate: int
    vector_size: int
    device: str


class ServiceDied(EngineFailed):
    """The process ended during a request; the next request starts it again."""


class YourTtsProcess:
    """Serves one request at a time; `close` is for any thread. It starts at the first request, and after a crash."""

    def __init__(self, python: Path, model: Path, *, gpu: bool) -> None:
        self._python = python
        self._model = model
        self._gpu = gpu
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._running: _Running | None = None
        self._facts: ServiceFacts | None = None
        self.memory_bytes = 0
        """The memory that the model takes, about; 0 while none is loaded."""

    @property
    def device(self) -> str:
        return self._facts.device if self._facts else "cpu"

    def load(self) -> ServiceFacts:
        """Load the model where it is not in memory. Raises EngineFailed with Coqui's own reason."""
        with self._lock:
            return self._ready()[1]

    def vector(self, samples: Floats, rate: int) -> Floats:
        """The speaker vector of a recording: samples (n,) -> (vector_size,). Raises EngineFailed."""
        with self._lock:
            try:
                return self._ask_vector(samples, rate)
            except ServiceDied:
                return self._ask_vector(samples, rate)

    def speak(self, wanted: Mapping[str, Any], vector: Floats, cancelled: CancelCheck) -> Iterator[Floats]:
        """Yield the sound of each sentence. Raises EngineFailed; once there was sound, also ServiceDied."""
        while not self._lock.acquire(timeout=_LOOK_S):
            if cancelled():
                return
        try:
            has_sound = False
            try:
                for samples in self._sentences(wanted, vector, cancelled):
                    has_sound = True
                    yield samples
            except ServiceDied:
                if has_sound:
                    raise
                logger.warning("%s's process ended; it is started again", NAME)
                yield from self._sentences(wanted, vector, cancelled)
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        running, self._running = self._running, None
        self.memory_bytes = 0
        if running is not None:
            running.end()

    def _ask_vector(self, samples: Floats, rate: int) -> Floats:
        running, _ = self._ready()
        request = next(self._numbers)
        running.send({"id": request, "do": "vector", "rate": rate}, samples)
        return next(running.answers(request, "vector"))[1]

    def _sentences(self, wanted: Mapping[str, Any], vector: Floats, cancelled: CancelCheck) -> Iterator[Floats]:
        running, _ = self._ready()
        request = next(self._numbers)
        running.send({"id": request, "do": "speak", **wanted}, vector)
        is_done = False
        try:
            for event, samples in running.answers(request, "done", cancelled):
                is_done = event == "done"
                if event == "audio":
                    yield samples
        finally:
            if not is_done:  # what it still makes comes under a number that is no longer awaited
                with contextlib.suppress(ServiceDied):
                    running.send({"id": request, "do": "cancel"})

    def _ready(self) -> tuple[_Running, ServiceFacts]:
        if self._running is None or not self._running.is_alive:
            if self._running is not None:
                self._running.end()
            self._running, self._facts = _Running(self._python), None
        if self._facts is None:
            request = next(self._numbers)
            self._running.send({"id": request, "do": "load", "model": str(self._model), "gpu": self._gpu})
            try:
                loaded = next(self._running.loaded(request))
            except EngineFailed:
                self.close()
                raise
            self._facts = ServiceFacts(
                languages=tuple(loaded["languages"]),
                speakers=tuple(loaded["speakers"]),
                sample_rate=int(loaded["sample_rate"]),
                vector_size=int(loaded["vector_size"]),
                device=str(loaded["device"]),
            )
            self.memory_bytes = weights_bytes(self._model)
            logger.info("%s is ready on %s (process %d)", NAME, self._facts.device, self._running.pid)
        return self._running, self._facts


def weights_bytes(model: Path) -> int:
    """The bytes that the model takes in memory, roughly: those of its weights on the disk."""
    return sum(file.stat().st_size for file in model.glob("*.pth*"))


class _Running:
    """A running process, from its start to its end."""

    def __init__(self, python: Path) -> None:
        try:
            # -I: PYTHONPATH and the user's own site belong to other Pythons.
            self._process = subprocess.Popen(  # noqa: S603 - our own module, in an environment that we made
                [str(python), "-I", "-c", _RUN, str(ROOT_DIR)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=python.parent,
                start_new_session=sys.platform != "win32",  # Ctrl-C is the studio's; it ends when its input does
            )
        except OSError as error:
            raise EngineFailed(engine=NAME, reason=f"{python} can't be started ({error.strerror})") from error
        self.pid = self._process.pid
        self._input = cast("BinaryIO", self._process.stdin)
        self._inbox: queue.Queue[tuple[dict[str, Any], Floats] | None] = queue.Queue()
        self._last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._has_loaded = False
        self._sending = threading.Lock()
        for work, stream in ((self._receive, self._process.stdout), (self._drain, self._process.stderr)):
            threading.Thread(
                target=work, args=(cast("BinaryIO", stream),), name=f"yourtts-{self.pid}", daemon=True
            ).start()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, message: Mapping[str, Any], floats: Floats = NOTHING) -> None:
        """Send one message. Raises ServiceDied."""
        try:
            with self._sending:
                write_message(self._input, message, floats)
        except (OSError, ValueError):
            raise self._death() from None

    def loaded(self, request: int) -> Iterator[dict[str, Any]]:
        """Yield the model's facts once. Raises EngineFailed."""
        for message, _ in self._messages(request, lambda: False):
            if message["event"] == "loaded":
                self._has_loaded = True
                yield message

    def answers(self, request: int, last: str, cancelled: CancelCheck = lambda: False) -> Iterator[tuple[str, Floats]]:
        """Yield the answers to a request, up to the `last` event; nothing more once it is `cancelled`."""
        for message, floats in self._messages(request, cancelled):
            yield message["event"], floats
            if message["event"] == last:
                return

    def end(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._input.close()
        try:
            self._process.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _messages(self, request: int, cancelled: CancelCheck) -> Iterator[tuple[dict[str, Any], Floats]]:
        while not cancelled():
            try:
                found = self._inbox.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if found is None:
                self._inbox.put(None)
                raise self._death()
            if found[0].get("id") != request:
                continue  # it belongs to a request that was called off
            if found[0].get("event") == "failed":
                raise EngineFailed(engine=NAME, reason=found[0].get("reason", "it gave no reason"))
            yield found

    def _receive(self, stream: BinaryIO) -> None:
        try:
            while (found := read_message(stream)) is not None:
                self._inbox.put(found)
        except (BrokenMessage, OSError, ValueError):
            self._process.kill()
        self._inbox.put(None)

    def _drain(self, stream: BinaryIO) -> None:
        """Keep the last lines until the model is loaded: they say why it could not start.

        Later lines may quote a text and are dropped.
        """
        for line in stream:
            if not self._has_loaded:
                self._last_lines.append(line.decode(errors="replace").strip()[:300])

    def _death(self) -> ServiceDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL_S)
        words = "" if self._has_loaded or not self._last_lines else f": {self._last_lines[-1]}"
        return ServiceDied(engine=NAME, reason=f"its process ended (status {self._process.returncode}){words}")
