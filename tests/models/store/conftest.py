"""Real services over a small catalogue, and a second volume."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.models.model_folders import PUBLISHED, Files, build_studio, write_files
from tts_core.models.catalogue import load_catalogue
from tts_core.models.memory import ModelMemory
from tts_core.models.store.store import ModelFolders
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services


class Home:
    """One installation with the models of `tests.models.model_folders`."""

    def __init__(self, root: Path) -> None:
        self.data_dir = root / "data"
        (root / "catalogue").mkdir(parents=True)
        build_studio(root / "catalogue")
        self.catalogue_file = root / "catalogue" / "catalogue.json"
        self._entries = load_catalogue(self.catalogue_file)
        self._open = ExitStack()

    def environ(self, **variables: str) -> dict[str, str]:
        return {
            "TTS_STUDIO_DATA_DIR": str(self.data_dir),
            "TTS_STUDIO_CATALOG": str(self.catalogue_file),
            **variables,
        }

    def start(self, **variables: str) -> Services:
        """Fresh, as after a restart."""
        services = build_services(Settings.from_env(self.environ(**variables)))
        self._open.callback(services.close)
        return services

    def close(self) -> None:
        self._open.close()

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models" / "Qwen"

    @property
    def parts_dir(self) -> Path:
        return self.models_dir / ".downloads"

    def folder(self, key: str, models_dir: Path | None = None) -> Path:
        return (models_dir or self.models_dir) / self._entries.entry(key).local

    def install(self, key: str, **changes: bytes | None) -> Path:
        files: Files = {path: data for path, data in (PUBLISHED[key] | changes).items() if data is not None}
        write_files(self.folder(key), files)
        return self.folder(key)


def impatient(services: Services, memory: ModelMemory | None = None) -> ModelFolders:
    """The services' store, which waits for nobody, perhaps over another memory."""
    return ModelFolders(
        services.settings,
        load_catalogue(services.settings.catalogue_file),
        services.models,
        memory or services.memory,
        services.downloads,
        lambda: (),
        wait_s=0.05,
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    built = Home(tmp_path)
    yield built
    built.close()


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes another volume of so many bytes."""
    with ExitStack() as cleanup:

        def make(size_bytes: int) -> Path:
            folder = tmp_path / f"volume{size_bytes}"
            folder.mkdir()
            if sys.platform != "linux" or os.geteuid() != 0 or _mount(folder, size_bytes) != 0:
                pytest.skip("needs root on Linux, to mount a memory disk")
            cleanup.callback(subprocess.run, ["umount", "-l", str(folder)], check=False)
            return folder

        yield make


@pytest.fixture
def elsewhere(tmp_path: Path, volume: Callable[[int], Path]) -> Iterator[Path]:
    """A folder on another volume with room: /dev/shm where it is one, else a memory disk."""
    shared = Path("/dev/shm")
    if shared.is_dir() and os.access(shared, os.W_OK) and shared.stat().st_dev != tmp_path.stat().st_dev:
        folder = Path(tempfile.mkdtemp(dir=shared))
        if shutil.disk_usage(folder).free > 700_000_000:
            yield folder
            shutil.rmtree(folder)
            return
        folder.rmdir()
    yield volume(1_000_000_000)


def _mount(folder: Path, size_bytes: int) -> int:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def content(folder: Path) -> Files:
    """Every regular file below `folder` but the lock of the process at work."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if path.name != "lock"}


def stop_after(times: int) -> Callable[[], bool]:
    """A CancelCheck that says yes from then on."""
    asked = itertools.count()
    return lambda: next(asked) >= times
