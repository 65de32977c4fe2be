"""Making the environment, as far as it goes without the packages: what is refused, what goes on, how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from tests.conftest import wait_until
from tts_core.engines.yourtts import install as installing
from tts_core.engines.yourtts.environment import Environment
from tts_core.engines.yourtts.faults import InstallDiskLow, InstallRunning, PackagesUnreachable, PythonUnsuitable
from tts_core.engines.yourtts.install import Wheels, install
from tts_core.platform.paths import ROOT_DIR


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "yourtts" / "environment")


@pytest.fixture
def dead_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds no package anywhere."""
    for name, value in pip_variables("http://127.0.0.1:9/simple").items():
        monkeypatch.setenv(name, value)


def pip_variables(index: str) -> dict[str, str]:
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DEFAULT_TIMEOUT": "120",
    }


def make(environment: Environment, python: str = sys.executable) -> list[str]:
    return [event.step for event in install(environment, python=python, wheels=Wheels.CPU)]


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_a_python_that_is_none_is_refused_before_anything_is_made(environment: Environment, python: str) -> None:
    with pytest.raises(PythonUnsuitable):
        make(environment, python)
    assert not environment.folder.exists()


def test_a_python_without_venv_or_of_another_version_is_refused(environment: Environment, tmp_path: Path) -> None:
    for words, said in (("echo 3.7.1", "Python 3.7.1"), ("echo No module named ensurepip >&2; exit 1", "ensurepip")):
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{words}\n")
        python.chmod(0o755)
        with pytest.raises(PythonUnsuitable, match=said):
            make(environment, str(python))
    assert not environment.folder.exists()


def test_only_one_program_makes_it(environment: Environment) -> None:
    environment.folder.parent.mkdir(parents=True)
    with FileLock(environment.folder.with_suffix(".lock")), pytest.raises(InstallRunning):
        make(environment)


def test_a_disk_without_room_is_told_first(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "CPU_BYTES", 1 << 60)
    with pytest.raises(InstallDiskLow, match="GB"):
        make(environment)
    assert not environment.folder.exists()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.usefixtures("dead_index")
def test_without_a_network_it_says_so_and_the_next_run_keeps_what_is_made(environment: Environment) -> None:
    with pytest.raises(PackagesUnreachable, match="PIP_INDEX_URL"):
        make(environment)
    assert environment.python.is_file()
    assert not environment.is_installed
    mark = environment.folder / "mine"
    mark.write_text("not made anew")
    with pytest.raises(PackagesUnreachable):
        make(environment)
    assert mark.exists()


@pytest.fixture
def silent_index() -> Iterator[socket.socket]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(300)
        yield listener


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_whoever_stops_it_stops_pip_with_it(silent_index: socket.socket, tmp_path: Path) -> None:
    index = f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple"
    command = [sys.executable, "-m", "tts_core", "install-yourtts", "--cpu", "--json", "--data-dir", str(tmp_path)]
    running = subprocess.Popen(
        command, cwd=ROOT_DIR, env={**os.environ, **pip_variables(index)}, stdout=subprocess.PIPE, text=True
    )
    connection, _ = silent_index.accept()  # pip is at work
    pips = psutil.Process(running.pid).children(recursive=True)
    assert pips
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=120)
    connection.close()
    assert running.returncode == 130
    wait_until(lambda: not any(pip.is_running() and pip.status() != psutil.STATUS_ZOMBIE for pip in pips))
    steps = [json.loads(line)["step"] for line in said.splitlines()]
    assert steps == ["check", "venv", "pip"]


def test_the_mark_belongs_to_the_requirements_and_not_to_their_comments(environment: Environment) -> None:
    environment.python.parent.mkdir(parents=True)
    environment.python.write_text("")
    assert not environment.is_installed
    environment.mark()
    assert environment.is_installed
    (environment.folder / "tts-studio.json").write_text(json.dumps({"requirements": "of an older release"}))
    assert not environment.is_installed
    environment.mark()
    environment.unmark()
    assert not environment.is_installed
