"""Making YourTTS's own environment: a venv in the data folder, filled by its own pip. Never touches the studio's.

Every step can be repeated: what is there already is kept, and pip's cache keeps what was fetched.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from filelock import FileLock, Timeout

from tts_core.engines.yourtts.environment import REQUIREMENTS, Environment, requirements
from tts_core.engines.yourtts.faults import (
    InstallDiskLow,
    InstallFailed,
    InstallRunning,
    PackagesFailed,
    PackagesUnreachable,
    PythonUnsuitable,
)

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
CPU_BYTES, GPU_BYTES = 3_000_000_000, 8_000_000_000
"""The size of an environment with its packages while they are unpacked."""
_PIP = "pip>=25.1"
"""The first pip that resumes what broke off, and reports how far it is."""
_TORCH = ("torch", "torchaudio", "torchcodec")
_LOOK_S = 60.0
_IMPORT_S = 600.0
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_ACTION = re.compile(r"\s*(Collecting|Downloading|Building wheel for|Installing collected packages)[: ]+([^\s(,]+)")
_KEPT_LINES = 30


class Wheels(str, Enum):
    """The kind of torch that is installed."""

    CPU = "cpu"
    """The small torch; from PyTorch's own index on Linux, where the common one has only the large."""
    GPU = "gpu"
    """The torch with CUDA, several GB."""


@dataclass(frozen=True, slots=True)
class InstallEvent:
    step: str
    """ "check", "venv", "pip", "torch", "packages" or "verify"."""
    number: int
    of: int
    message: str
    """An English sentence for people."""
    done_bytes: int = 0
    total_bytes: int = 0
    """The size of what is fetched just then; 0 where nothing is or the size is unknown."""


STEPS = ("check", "venv", "pip", "torch", "packages", "verify")


def best_wheels() -> tuple[Wheels, str]:
    """The wheels that suit this machine, and why."""
    if shutil.which("nvidia-smi"):
        return Wheels.GPU, "there is an NVIDIA driver on this machine"
    return Wheels.CPU, "no NVIDIA driver was found; --gpu asks for CUDA wheels all the same"


def install(environment: Environment, *, python: str, wheels: Wheels) -> Iterator[InstallEvent]:
    """Make the environment with that Python. Closing the iterator, or an exception in it, ends pip at once.

    Raises the kinds of InstallFailed.
    """
    folder = environment.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            yield from _steps(environment, python, wheels)
    except Timeout as error:
        raise InstallRunning(folder=folder) from error
    except OSError as error:
        raise InstallFailed(reason=f"{folder}: {error.strerror or error}") from error


def _steps(environment: Environment, python: str, wheels: Wheels) -> Iterator[InstallEvent]:
    yield _event("check", f"Python for YourTTS: {python}")
    version = _version_of(python)
    _check_room(environment, wheels)
    environment.unmark()
    yield _event("venv", f"Making {environment.folder} with Python {version}")
    _make_venv(environment, python, version)
    pip = [str(environment.python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    yield _event("pip", "Bringing its pip up to date")
    with _reported("pip", PackagesUnreachable):
        yield from _run("pip", [*pip, "--upgrade", _PIP])
    pip += ["--progress-bar", "raw", "--resume-retries", "20"]
    yield from _install_torch(pip, wheels)
    yield _event("packages", "Installing coqui-tts and what it needs")
    with _reported("coqui-tts", PackagesFailed):
        yield from _run("packages", [*pip, "-r", str(REQUIREMENTS)])
    yield _event("verify", "Loading Coqui TTS once")
    _verify(environment)
    environment.mark()


def _install_torch(pip: Sequence[str], wheels: Wheels) -> Iterator[InstallEvent]:
    """Install torch from PyTorch's own index where its wheels are the small ones; what it lacks comes with the rest."""
    if wheels is Wheels.GPU or sys.platform != "linux":
        yield _event("torch", "torch comes with the packages: the common index has the right wheels for this machine")
        return
    yield _event("torch", "Fetching torch for the CPU from PyTorch's own index (about 200 MB instead of 3 GB)")
    wanted = [line for line in requirements() if re.split(r"[<>=]", line)[0] in _TORCH]
    try:
        yield from _run("torch", [*pip, "--index-url", CPU_INDEX, *wanted])
    except _PipFailed as failed:
        yield _event("torch", f"PyTorch's own index did not help ({failed}); the common one has it, too, but larger")


def _version_of(python: str) -> str:
    code = "import sys, venv, ensurepip; print(*sys.version_info[:3], sep='.')"
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that the user named
            [python, "-I", "-c", code], capture_output=True, text=True, timeout=_LOOK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PythonUnsuitable(python=python, reason="it can't be started") from error
    version = done.stdout.strip()
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it ended without an answer"])[-1]
        raise PythonUnsuitable(python=python, reason=last)
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if not OLDEST_PYTHON <= numbers <= NEWEST_PYTHON:
        raise PythonUnsuitable(python=python, reason=f"it is Python {version}")
    return version


def _check_room(environment: Environment, wheels: Wheels) -> None:
    """Check the free space. What is there already counts as free: it is kept, or makes room when it is replaced.

    Raises InstallDiskLow.
    """
    needed = GPU_BYTES if wheels is Wheels.GPU else CPU_BYTES
    there = sum(file.lstat().st_size for file in environment.folder.rglob("*") if not file.is_dir())
    free = shutil.disk_usage(environment.folder.parent).free
    if free + there < needed:
        free_gb = f"{free / 1e9:.1f}"
        raise InstallDiskLow(folder=environment.folder.parent, needed_gb=f"{needed / 1e9:.0f}", free_gb=free_gb)


def _make_venv(environment: Environment, python: str, version: str) -> None:
    """Make a venv, unless there is one of that version that is whole enough to run pip. Raises PythonUnsuitable."""
    probe = [str(environment.python), "-I", "-c", "import sys, pip; print(*sys.version_info[:3], sep='.')"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_LOOK_S, check=False)  # noqa: S603 - ours
        if done.returncode == 0 and done.stdout.strip() == version:
            return
    command = [python, "-I", "-m", "venv", "--clear", str(environment.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the user's interpreter
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines() or ["venv gave no reason"]
        raise PythonUnsuitable(python=python, reason=last[-1])


def _verify(environment: Environment) -> None:
    command = [str(environment.python), "-I", "-c", "import soundfile; from TTS.utils.synthesizer import Synthesizer"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise InstallFailed(reason="Coqui TTS does not load within ten minutes") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise InstallFailed(reason=f"Coqui TTS does not load there ({last[:300]})")


class _PipFailed(Exception):
    """A failure of pip; the message is its last line."""


@contextlib.contextmanager
def _reported(packages: str, kind: type[InstallFailed]) -> Iterator[None]:
    try:
        yield
    except _PipFailed as failed:
        raise kind(packages=packages, reason=str(failed)) from None


def _run(step: str, command: Sequence[str]) -> Iterator[InstallEvent]:
    """Run pip and yield its output in short. Raises _PipFailed."""
    posix = os.name == "posix"
    with subprocess.Popen(  # noqa: S603 - pip of the environment
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=posix,
    ) as pip:
        last_lines: list[str] = []
        doing = ""
        try:
            for line in pip.stdout or ():
                if match := _PROGRESS.fullmatch(line.strip()):
                    yield _event(step, doing, int(match[1]), int(match[2]))
                    continue
                last_lines = [*last_lines[1 - _KEPT_LINES :], line.strip()]
                if match := _ACTION.match(line):
                    doing = f"{match[1]} {match[2].rpartition('/')[2]}"
                    if match[1] == "Installing collected packages":
                        doing = "Unpacking"
                    yield _event(step, doing)
        except BaseException:  # the caller has gone, or has stopped the installation
            _end(pip, group=posix)
            raise
    if pip.returncode != 0:
        errors = [line for line in last_lines if line.startswith("ERROR")] or [line for line in last_lines if line]
        raise _PipFailed((errors or ["it gave no reason"])[-1].removeprefix("ERROR: ")[:300])


def _end(process: subprocess.Popen[str], *, group: bool) -> None:
    """End pip with all that it started: it builds in processes of its own."""
    if group:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    else:
        process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()


def _event(step: str, message: str, done_bytes: int = 0, total_bytes: int = 0) -> InstallEvent:
    return InstallEvent(step, STEPS.index(step) + 1, len(STEPS), message, done_bytes, total_bytes)
