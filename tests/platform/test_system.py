"""What people are told about their machine is what the machine says."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tts_core.platform.acceleration import Reason, on_cpu
from tts_core.platform.settings.studio import Settings
from tts_core.platform.system import SystemInfo, peak_bytes, process_bytes, processor


@pytest.fixture
def system(tmp_path: Path) -> SystemInfo:
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data")})
    return SystemInfo(settings, lambda: on_cpu(Reason("no_gpu", {"torch": "2.13.0"})))


def test_the_device_is_unknown_until_somebody_asks(system: SystemInfo) -> None:
    assert system.acceleration_if_known() is None
    found = system.acceleration()
    assert found.preferred_device
    assert system.acceleration_if_known() is found
    assert system.acceleration() is found


def test_memory_is_measured(system: SystemInfo) -> None:
    memory = system.memory()
    assert 1_000_000 < memory.process < memory.total
    assert 0 < memory.available <= memory.total
    assert memory.disk_free > 0


def test_memory_grows_with_what_a_process_holds() -> None:
    """In a process of its own: one that has lived for a while takes from memory that it was given before."""
    program = "import sys; print(flush=True); input(); held = bytearray(b'1') * 50_000_000; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        before = process_bytes(child.pid)
        print(file=child.stdin, flush=True)
        child.stdout.readline()
        grown = process_bytes(child.pid) - before
        print(file=child.stdin, flush=True)
    assert 0.9 * 50_000_000 < grown < 1.5 * 50_000_000


@pytest.mark.skipif(sys.platform == "darwin", reason="the system does not say it of other processes")
def test_the_peak_outlives_what_was_held() -> None:
    program = "held = bytearray(b'1') * 200_000_000; del held; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        held, most = process_bytes(child.pid), peak_bytes(child.pid)
        print(file=child.stdin, flush=True)
    assert held < 200_000_000 < most < 300_000_000


def test_the_processor_has_a_name_and_threads() -> None:
    found = processor()
    assert found.name
    assert found.threads >= found.cores >= 1


def test_versions_are_those_installed(system: SystemInfo) -> None:
    versions = system.versions()
    assert versions["python"] == platform.python_version()
    assert versions["torch"] == metadata.version("torch")
    assert next(iter(versions)) == "tts_studio"
    speaking = {"hibari-tts", "onnxruntime", "faster-whisper"}
    assert {name: versions.get(name) for name in speaking} == {name: metadata.version(name) for name in speaking}


def test_folders_say_whether_they_exist_and_can_be_written(system: SystemInfo, tmp_path: Path) -> None:
    (tmp_path / "data" / "logs").mkdir(parents=True)
    folders = {folder.name: folder for folder in system.folders()}
    assert {name: folder.exists for name, folder in folders.items()} == {
        "models": False,
        "data": True,
        "outputs": False,
        "logs": True,
    }
    assert all(folder.writable for folder in folders.values())
    assert folders["models"].path == tmp_path / "data" / "models" / "Qwen"


def test_the_log_tail_is_the_studios_log(system: SystemInfo, tmp_path: Path) -> None:
    log = tmp_path / "data" / "logs" / "tts_studio.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n", encoding="utf-8")
    assert system.log_tail(1) == ["two"]
