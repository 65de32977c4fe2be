"""The store beside a download that really runs, and one that is paused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.hubs.faults import Fault
from tests.hubs.fixtures import hubs, small_model
from tests.hubs.hubs import Hubs
from tests.hubs.models import MAIN_FILE, PublishedModel
from tests.models.store.conftest import Home, content
from tts_core.domain.errors import StudioError
from tts_core.models.files.findings import ModelState
from tts_core.models.store.faults import DownloadsRunning, ModelDownloading
from tts_core.platform.job import JobState
from tts_core.services import Services

__all__ = ["hubs", "small_model"]


@pytest.fixture
def services(home: Home, hubs: Hubs, small_model: PublishedModel) -> Services:
    """A download that has come to the middle of the large file and stays there."""
    for hub in hubs.all:
        hub.faults.add(Fault(stall_at=300_000), on="bytes", file=MAIN_FILE)
    services = home.start(**hubs.environ())
    services.downloads.start(small_model.key)
    wait_until(lambda: _has_come_to(services, small_model.key, 300_000))
    return services


def _has_come_to(services: Services, key: str, count: int) -> bool:
    task = services.downloads.task(key)
    return task is not None and task.file == MAIN_FILE and task.bytes_done >= count


def test_a_running_download_is_left_alone(
    home: Home, services: Services, small_model: PublishedModel, tmp_path: Path
) -> None:
    store, key = services.store, small_model.key
    (tmp_path / "somewhere").mkdir()
    attempts: list[tuple[Callable[[], object], type[StudioError]]] = [
        (lambda: store.delete(key), ModelDownloading),
        (lambda: store.import_from(key, tmp_path / "somewhere"), ModelDownloading),
        (lambda: store.move(tmp_path / "new"), DownloadsRunning),
        (lambda: store.clean(store.leftovers()), DownloadsRunning),
    ]
    for attempt, expected in attempts:
        with pytest.raises(expected):
            attempt()
    assert not (tmp_path / "new").exists()
    assert store.unfinished_move() is None
    assert not any(leftover.path.parent == home.parts_dir for leftover in store.leftovers())
    assert services.models.status(key).state is ModelState.DOWNLOADING


def test_a_paused_download_goes_with_its_model(home: Home, services: Services, small_model: PublishedModel) -> None:
    key = small_model.key
    services.downloads.pause(key)
    wait_until(lambda: any(home.parts_dir.glob("*.part")) and _state(services, key) is JobState.PAUSED)
    part_bytes = sum(path.stat().st_size for path in home.parts_dir.glob("*.part"))
    removal = services.store.delete(key)
    assert 0 < removal.freed_bytes <= part_bytes + sum(file.size for file in small_model.files.values())
    assert _state(services, key) is JobState.CANCELLED
    assert not home.folder(key).exists()
    assert content(home.parts_dir) == {}
    assert services.models.status(key).state is ModelState.NOT_DOWNLOADED


def test_a_paused_download_moves_along_and_goes_on(
    home: Home, hubs: Hubs, services: Services, small_model: PublishedModel, elsewhere: Path
) -> None:
    key = small_model.key
    services.downloads.pause(key)
    wait_until(lambda: _state(services, key) is JobState.PAUSED)
    services.store.move(elsewhere / "Qwen")
    services.close()
    for hub in hubs.all:
        hub.faults.clear()
        hub.log.clear()
    fresh = home.start(**hubs.environ())
    fresh.downloads.start(key)
    wait_until(lambda: fresh.models.status(key).valid)
    assert hubs.sent(MAIN_FILE) < small_model.files[MAIN_FILE].size
    assert fresh.models.folder(key).is_relative_to(elsewhere)


def _state(services: Services, key: str) -> JobState | None:
    task = services.downloads.task(key)
    return task.state if task else None
