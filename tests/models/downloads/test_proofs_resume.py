"""No byte is fetched twice: killed, cut, moved to another source, out of space, and with two processes at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hubs.faults import Fault
from tests.hubs.hub import LoopbackHub
from tests.hubs.hubs import Hubs
from tests.hubs.models import CODEC_FILE, MAIN_FILE, PublishedModel, make_model
from tests.models.downloads.app_process import DownloadProcess, Home, codes, never_falls, sent_spans
from tests.models.model_folders import BASE_KEY, CUSTOM_KEY
from tts_core.models.catalogue import load_catalogue
from tts_core.models.downloads.transfer.part_file import PartStore, want_of

pytestmark = pytest.mark.thorough

MAIN_BYTES = 60_000_000
"""Little enough that what is left after a stop is one connection's."""
UNJOURNALLED_BYTES = 34_000_000
"""At most this much is fetched again after a kill; the journal follows the disk at least that closely."""
ON_THE_WAY_BYTES = 8_000_000
"""What may be in the network's buffers when a connection gives the rest of its range to another one."""


@pytest.fixture(scope="module")
def large_model(tmp_path_factory: pytest.TempPathFactory) -> PublishedModel:
    return make_model(tmp_path_factory.mktemp("large_model"), CUSTOM_KEY, main_bytes=MAIN_BYTES)


@pytest.fixture
def large(hubs: Hubs, large_model: PublishedModel) -> PublishedModel:
    """Published on all hubs."""
    hubs.publish(large_model)
    return large_model


def journalled(hubs: Hubs, home: Home, model: PublishedModel, path: str) -> int:
    """Bytes of a file that a new process would start from."""
    entry = load_catalogue(hubs.catalogue_file).entry(model.key)
    file = next(file for file in entry.files if file.path == path)
    return PartStore(home.paths.parts_dir).present_bytes(want_of(file, entry.hf))


@pytest.mark.parametrize("turn", range(3))
def test_killed_at_10_50_and_99_percent_it_asks_for_the_missing_bytes_only(
    turn: int, hubs: Hubs, large: PublishedModel, tmp_path: Path
) -> None:
    """In the first turn at once, in the others when the journal has caught up."""
    home, hub, before = Home(tmp_path), hubs.all[turn], 0
    slack = UNJOURNALLED_BYTES if turn == 0 else 0
    for percent in (10, 50, 99):
        offset = MAIN_BYTES * percent // 100
        hub.log.clear()
        hub.faults.add(Fault(stall_at=offset), on="bytes", file=MAIN_FILE)
        with DownloadProcess(hubs, home, large.key, source=hub.id) as process:
            process.until(reached(hub, offset - before))
            process.until(lambda least=offset - slack: journalled(hubs, home, large, MAIN_FILE) >= least)  # type: ignore[misc]
            process.kill()
        kept = journalled(hubs, home, large, MAIN_FILE)
        assert offset - slack <= kept <= offset
        assert sent_spans([hub], MAIN_FILE) == [(before, offset)]
        assert not home.file(large, MAIN_FILE).exists()
        hub.faults.clear()
        before = kept
    hub.log.clear()
    with DownloadProcess(hubs, home, large.key, source=hub.id) as process:
        last = process.end()
    assert (last["status"], last["exit"], last["source"]) == ("ready", 0, hub.id)
    assert home.holds(large)
    assert sent_spans(hubs.all, MAIN_FILE) == [(before, MAIN_BYTES)]
    assert last["downloaded_bytes"] == large.total_bytes
    assert never_falls(process.events)


def reached(hub: LoopbackHub, count: int) -> Callable[[], bool]:
    return lambda: hub.log.sent(MAIN_FILE) >= count


@pytest.mark.parametrize(("first", "second"), [("hf", "modelscope"), ("modelscope", "mirror")])
def test_cut_on_one_source_it_is_finished_by_another_with_no_byte_twice(
    first: str, second: str, hubs: Hubs, large: PublishedModel, tmp_path: Path
) -> None:
    by_id = {hub.id: hub for hub in hubs.all}
    third = ({"hf", "mirror", "modelscope"} - {first, second}).pop()
    by_id[third].stop()
    by_id[first].faults.add(Fault(cut_at=MAIN_BYTES // 2), on="bytes", file=MAIN_FILE, times=1)
    by_id[first].faults.add(Fault(status=404), on="bytes", file=MAIN_FILE)
    home = Home(tmp_path)
    with DownloadProcess(hubs, home, large.key, source=first) as process:
        last = process.end()
    assert (last["status"], last["exit"], last["source"]) == ("ready", 0, second), last
    assert first in codes(last)
    assert home.holds(large)
    assert sent_spans([by_id[first]], MAIN_FILE) == [(0, MAIN_BYTES // 2)]
    assert sent_spans([by_id[second]], MAIN_FILE) == [(MAIN_BYTES // 2, MAIN_BYTES)]
    assert never_falls(process.events)


def test_interrupted_it_keeps_every_byte(hubs: Hubs, large: PublishedModel, tmp_path: Path) -> None:
    home, offset = Home(tmp_path), MAIN_BYTES // 3
    hubs.hf.faults.add(Fault(stall_at=offset), on="bytes", file=MAIN_FILE)
    with DownloadProcess(hubs, home, large.key, source="hf") as process:
        process.until(reached(hubs.hf, offset))
        process.wait_for(lambda event: event["downloaded_bytes"] >= offset)
        process.interrupt(signal.SIGINT)
        last = process.end()
    assert (last["exit"], last["status"] in ("cancelled", "paused")) == (130, True), last
    assert journalled(hubs, home, large, MAIN_FILE) == offset
    hubs.hf.faults.clear()
    with DownloadProcess(hubs, home, large.key, source="hf") as process:
        assert process.end()["status"] == "ready"
    assert sent_spans([hubs.hf], MAIN_FILE) == [(0, offset), (offset, MAIN_BYTES)]
    assert home.holds(large)


def test_two_processes_share_one_transfer(hubs: Hubs, large: PublishedModel, tmp_path: Path) -> None:
    home = Home(tmp_path)
    hubs.hf.faults.add(Fault(stall_at=MAIN_BYTES // 2), on="bytes", file=MAIN_FILE)
    with DownloadProcess(hubs, home, large.key, source="hf") as one:
        one.until(reached(hubs.hf, MAIN_BYTES // 2))
        with DownloadProcess(hubs, home, large.key, source="hf") as other:
            other.wait_for(lambda event: bool(event["foreign"]) or event["status"] == "waiting")
            hubs.hf.faults.clear()
            ends = one.end(), other.end()
    assert [(end["status"], end["exit"]) for end in ends] == [("ready", 0)] * 2
    assert large.total_bytes <= hubs.sent() <= large.total_bytes + ON_THE_WAY_BYTES
    assert home.holds(large)


def test_a_second_process_takes_over_from_one_that_was_killed(
    hubs: Hubs, large: PublishedModel, tmp_path: Path
) -> None:
    home, offset = Home(tmp_path), MAIN_BYTES * 4 // 5
    hubs.hf.faults.add(Fault(stall_at=offset), on="bytes", file=MAIN_FILE)
    with DownloadProcess(hubs, home, large.key, source="hf") as one:
        one.until(reached(hubs.hf, offset))
        one.until(lambda: journalled(hubs, home, large, MAIN_FILE) >= offset - UNJOURNALLED_BYTES)
        with DownloadProcess(hubs, home, large.key, source="hf") as other:
            other.wait_for(lambda event: bool(event["foreign"]) or event["status"] == "waiting")
            one.kill()
            kept = journalled(hubs, home, large, MAIN_FILE)
            hubs.hf.faults.clear()
            end = other.end()
    assert (end["status"], end["exit"]) == ("ready", 0)
    assert sent_spans([hubs.hf], MAIN_FILE) == [(0, offset), (kept, MAIN_BYTES)]
    assert home.holds(large)


def test_the_shared_speech_tokenizer_is_fetched_once(hubs: Hubs, large: PublishedModel, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", BASE_KEY)
    hubs.publish(base)
    home = Home(tmp_path)
    for model in (large, base):
        with DownloadProcess(hubs, home, model.key, source="hf") as process:
            assert process.end()["status"] == "ready"
        assert home.holds(model)
    assert hubs.sent(CODEC_FILE) == large.files[CODEC_FILE].size


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own whose size can be changed: 2 GB, nothing of it taken yet."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root on Linux")
    command = ["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def test_a_disk_that_becomes_full_ends_it_with_its_code_and_keeps_the_bytes(
    hubs: Hubs, large: PublishedModel, small_disk: Path
) -> None:
    home, offset = Home(small_disk), MAIN_BYTES // 5
    hubs.hf.faults.add(Fault(stall_at=offset), on="bytes", file=MAIN_FILE)
    with DownloadProcess(hubs, home, large.key, source="hf") as process:
        process.until(reached(hubs.hf, offset))
        resize(small_disk, 40_000_000)
        hubs.hf.faults.clear()
        last = process.end()
    assert (last["code"], last["status"] in ("paused", "error")) == ("DISK_FULL", True), last
    assert last["exit"] not in (0, 70)
    kept = journalled(hubs, home, large, MAIN_FILE)
    assert kept >= offset
    sent_before = hubs.hf.log.sent(MAIN_FILE)

    with DownloadProcess(hubs, home, large.key, source="hf") as process:
        last = process.end()
    assert (last["code"], hubs.hf.log.sent(MAIN_FILE)) == ("DISK_LOW", sent_before), last
    assert last["exit"] not in (0, 70)
    assert journalled(hubs, home, large, MAIN_FILE) == kept

    resize(small_disk, 2_000_000_000)
    hubs.hf.log.clear()
    with DownloadProcess(hubs, home, large.key, source="hf") as process:
        assert process.end()["status"] == "ready"
    assert hubs.hf.log.sent(MAIN_FILE) == MAIN_BYTES - kept
    assert home.holds(large)
