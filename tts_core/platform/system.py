"""Facts about the machine: device, memory, versions, folders, log. Measures; decides nothing."""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

import tts_core
from tts_core.platform.acceleration import Acceleration
from tts_core.platform.logs import log_tail
from tts_core.platform.settings.studio import Settings

PACKAGES = (
    *("gradio", "torch", "transformers", "huggingface_hub", "modelscope"),
    *("numpy", "numba", "librosa", "espeakng-loader", "hibari-tts", "faster-whisper", "onnxruntime"),
)
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_MODEL_NAME = re.compile(r"^model name\s*: (.+)$", re.MULTILINE)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory and disk space of the machine, in bytes."""

    process: int
    """The RAM that this process holds (resident set size)."""
    total: int
    available: int
    """The RAM that can be taken without swapping."""
    disk_free: int
    """The free space on the disk of the models folder."""


@dataclass(frozen=True, slots=True)
class Folder:
    name: str
    """The folder's name: "models", "data", "outputs" or "logs"."""
    path: Path
    exists: bool
    writable: bool
    """Whether files can be made in the folder, or the folder itself."""


@dataclass(frozen=True, slots=True)
class Processor:
    name: str
    cores: int
    """The number of physical cores."""
    threads: int
    """The number of threads, of all processes, that the system runs at once."""


class SystemInfo:
    """The facts for one configuration. Thread-safe."""

    def __init__(self, settings: Settings, probe: Callable[[], Acceleration]) -> None:
        """`probe` finds the device that models compute on; it may take long."""
        self._paths = settings.paths
        self._probe = probe
        self._probing = threading.Lock()
        self._acceleration: Acceleration | None = None

    def acceleration(self) -> Acceleration:
        """The device that models compute on. The first call takes as long as the probe; later ones answer at once."""
        with self._probing:
            if self._acceleration is None:
                self._acceleration = self._probe()
                for reason in self._acceleration.reasons:
                    logger.info("Device %s: %s", self._acceleration.preferred_device, reason.message)
            return self._acceleration

    def acceleration_if_known(self) -> Acceleration | None:
        """The device that `acceleration` found, or None before its first call; never waits."""
        return self._acceleration

    def device_memory_bytes(self) -> int:
        """The memory that models have: the graphics card's once `acceleration` has found one, else the machine's."""
        found = self._acceleration
        gpu = None if found is None else found.gpu
        return psutil.virtual_memory().total if gpu is None else gpu.total_memory_bytes

    def memory(self) -> Memory:
        machine = psutil.virtual_memory()
        return Memory(
            process=process_bytes(os.getpid()),
            total=machine.total,
            available=machine.available,
            disk_free=shutil.disk_usage(_nearest_existing(self._paths.models_dir)).free,
        )

    def versions(self) -> dict[str, str]:
        """The versions of the studio, Python and PACKAGES by name; packages that are not installed are absent."""
        found = {"tts_studio": tts_core.__version__, "python": platform.python_version()}
        for package in PACKAGES:
            try:
                found[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        return found

    def folders(self) -> tuple[Folder, ...]:
        paths = {
            "models": self._paths.models_dir,
            "data": self._paths.data_dir,
            "outputs": self._paths.outputs_dir,
            "logs": self._paths.log_file.parent,
        }
        return tuple(
            Folder(name, path, exists=path.is_dir(), writable=os.access(_nearest_existing(path), os.W_OK))
            for name, path in paths.items()
        )

    def log_tail(self, lines: int) -> list[str]:
        """The log's last lines, oldest first. No text that was spoken is in them."""
        return log_tail(self._paths.log_file, lines)


def process_bytes(pid: int) -> int:
    """The RAM that a process holds (resident set size), bytes."""
    return int(psutil.Process(pid).memory_info().rss)


def peak_bytes(pid: int) -> int:
    """The most RAM that a process has held since it started, bytes; its present RAM where the system can't say."""
    try:
        match = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    except OSError:  # no Linux
        return int(getattr(psutil.Process(pid).memory_info(), "peak_wset", process_bytes(pid)))
    return 1024 * int(match[1]) if match else process_bytes(pid)


def processor() -> Processor:
    """The machine's processor, by the name that people know it by."""
    threads = psutil.cpu_count() or 1
    return Processor(_processor_name(), psutil.cpu_count(logical=False) or threads, threads)


def _processor_name() -> str:
    try:
        match = _MODEL_NAME.search(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:  # no Linux
        match = None
    if match is None and sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return match[1] if match else platform.processor() or platform.machine()


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
