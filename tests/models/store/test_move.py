"""The models folder moves whole: on one volume, between volumes, after kill -9, with no room, while somebody works."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, PUBLISHED, TOKENIZER_KEY, Files, write_files
from tests.models.store.conftest import Home, content, impatient, stop_after
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.models.download_faults import DiskFault, DiskLow
from tts_core.models.download_task import DownloadTask, Phase
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.faults import ModelBeingChanged
from tts_core.models.files.findings import ModelState, Verification
from tts_core.models.store.faults import (
    DownloadsRunning,
    FolderUnusable,
    InsideModels,
    MoveUnfinished,
    PlaceTaken,
    SourceDamaged,
)
from tts_core.models.store.move_journal import Journal
from tts_core.models.store.reports import StoreProgress
from tts_core.platform.job import JobState
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.preferences import PreferencesFile

CODEC = "speech_tokenizer/model.safetensors"
EXTRAS: Files = {".downloads/abc.part": b"half", ".downloads/abc.json": b"{}"}


def furnish(home: Home) -> Files:
    """Two models that share a file, one of the user's own and a part; returns all content."""
    write_files(home.models_dir / "My fine-tune", PUBLISHED[TOKENIZER_KEY] | {"notes.txt": b"mine"})
    custom, base = home.install(CUSTOM_KEY), home.install(BASE_KEY)
    (custom / CODEC).unlink()
    (custom / CODEC).hardlink_to(base / CODEC)
    for name, data in EXTRAS.items():
        (home.models_dir / name).parent.mkdir(exist_ok=True)
        (home.models_dir / name).write_bytes(data)
    return content(home.models_dir)


def check_moved(home: Home, target: Path, before: Files) -> None:
    assert content(target) == before
    assert not home.models_dir.exists()
    assert not (home.data_dir / "models_move.json").exists()
    links = [home.folder(key, target) / CODEC for key in (CUSTOM_KEY, BASE_KEY)]
    assert links[0].samefile(links[1])
    services = home.start()
    assert services.settings.paths.models_dir == target
    assert all(services.models.status(key).state is ModelState.READY for key in (CUSTOM_KEY, BASE_KEY))


def test_a_plan_tells_the_room_and_changes_nothing(home: Home, tmp_path: Path, elsewhere: Path) -> None:
    before = furnish(home)
    size = sum(map(len, before.values())) - len(PUBLISHED[CUSTOM_KEY][CODEC])  # shared by two models
    store = home.start().store
    near, far = store.plan_move(tmp_path / "near"), store.plan_move(elsewhere / "far")
    assert (near.total_bytes, near.is_copied, far.total_bytes, far.is_copied) == (size, False, size, True)
    assert far.free_bytes == pytest.approx(shutil.disk_usage(elsewhere).free, abs=50_000_000)
    assert content(home.models_dir) == before
    assert not near.target.exists()
    assert not far.target.exists()
    assert store.unfinished_move() is None
    with pytest.raises(InsideModels):
        store.plan_move(home.models_dir / "inside")


@pytest.mark.parametrize("exists", [False, True])
def test_on_one_volume_only_names_change(home: Home, tmp_path: Path, exists: bool) -> None:
    before, target = furnish(home), tmp_path / "new" / "place"
    if exists:
        target.mkdir(parents=True)
        (target / "photo.jpg").write_bytes(b"stays")
        before["photo.jpg"] = b"stays"
    services = home.start()
    for _ in services.models.validate(CUSTOM_KEY, deep=True, cancelled=lambda: False):
        pass
    inode = (home.folder(CUSTOM_KEY) / "model.safetensors").stat().st_ino
    steps: list[StoreProgress] = []
    moved = services.store.move(target, steps.append)
    assert (moved.target, moved.left, moved.variable, steps) == (target, (), "", [])
    assert (home.folder(CUSTOM_KEY, target) / "model.safetensors").stat().st_ino == inode
    check_moved(home, target, before)
    assert home.start().models.status(CUSTOM_KEY).verification is Verification.VERIFIED  # nothing is read again


def test_between_volumes_everything_is_copied_and_proven(home: Home, elsewhere: Path) -> None:
    before, target = furnish(home), elsewhere / "Qwen"
    modified = (home.folder(CUSTOM_KEY) / "model.safetensors").stat().st_mtime_ns
    steps: list[StoreProgress] = []
    moved = home.start().store.move(target, steps.append)
    assert (moved.left, moved.variable) == ((), "")
    done = [step.done_bytes for step in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1].total_bytes == sum(map(len, before.values())) - len(PUBLISHED[BASE_KEY][CODEC])
    check_moved(home, target, before)
    assert (home.folder(CUSTOM_KEY, target) / "model.safetensors").stat().st_mtime_ns == modified
    assert home.start().models.status(CUSTOM_KEY).verification is Verification.VERIFIED


def test_what_is_no_model_stays_and_is_named(home: Home, tmp_path: Path, elsewhere: Path) -> None:
    """Somebody may have chosen a folder with more in it: a home, a disk, the data folder itself."""
    before = furnish(home)
    foreign = {"photos/cat.jpg": b"cat", "letter.txt": b"dear", "projects/tts/Mine/config.json": b"{}"}
    write_files(home.models_dir, foreign)
    moved = home.start().store.move(elsewhere / "Qwen")
    assert moved.left == ("letter.txt", "photos", "projects")
    assert content(home.models_dir) == foreign
    assert content(elsewhere / "Qwen") == before
    moved = home.start(QWEN_TTS_MODELS_DIR=str(elsewhere / "Qwen")).store.move(tmp_path)
    assert moved.left == ()
    moved = home.start(QWEN_TTS_MODELS_DIR=str(tmp_path)).store.move(elsewhere / "again")
    assert {"data", "catalogue"} <= set(moved.left)
    assert content(elsewhere / "again") == before


def test_links_lead_where_they_led(home: Home, tmp_path: Path, elsewhere: Path) -> None:
    home.install(CUSTOM_KEY)
    (tmp_path / "data" / "mine.txt").write_text("mine", encoding="utf-8")
    own = home.folder(CUSTOM_KEY).name
    (home.models_dir / own / "out").symlink_to("../../../mine.txt")
    (home.models_dir / own / "inside").symlink_to("speech_tokenizer")
    write_files(tmp_path / "big", PUBLISHED[BASE_KEY])
    home.folder(BASE_KEY).symlink_to(tmp_path / "big")
    for target in (tmp_path / "deeper" / "down", elsewhere / "Qwen"):
        home.start().store.move(target)
        assert (target / own / "out").read_text(encoding="utf-8") == "mine"
        assert (target / own / "inside").readlink() == Path("speech_tokenizer")
        assert home.folder(BASE_KEY, target).readlink() == tmp_path / "big"
        assert home.start().models.status(BASE_KEY).valid


def test_a_move_that_is_stopped_anywhere_goes_on(home: Home, elsewhere: Path) -> None:
    before, target = furnish(home), elsewhere / "Qwen"
    for allowed in itertools.count(0, 5):
        services = home.start()
        assert services.settings.paths.models_dir == home.models_dir
        try:
            services.store.move(target, cancelled=stop_after(allowed))
        except Cancelled:
            assert whole_somewhere(before, home.models_dir, target)
        else:
            break
    assert allowed > 10
    check_moved(home, target, before)


@pytest.mark.thorough
@pytest.mark.parametrize("moment", ["the first file is being copied", "two models are there", "the choice is saved"])
def test_kill_9_loses_nothing(home: Home, elsewhere: Path, moment: str) -> None:
    furnish(home)
    target = elsewhere / "Qwen"
    big = home.folder(CUSTOM_KEY) / "big.bin"
    big.write_bytes(os.urandom(24_000_000))
    before = content(home.models_dir)
    reached: dict[str, Callable[[], bool]] = {
        "the first file is being copied": lambda: any(target.rglob("*.copying")),
        "two models are there": (home.folder(BASE_KEY, target) / "vocab.json").exists,
        "the choice is saved": (home.data_dir / "preferences.json").exists,
    }
    command = [sys.executable, "-m", "tts_core", "models", "move", str(target)]
    environ = {**os.environ, **home.environ()}
    process = subprocess.Popen(command, cwd=ROOT_DIR, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not reached[moment]() and process.poll() is None:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    process.wait()
    assert whole_somewhere(before, home.models_dir, target)
    if home.start().store.unfinished_move() == target:
        with pytest.raises(MoveUnfinished):
            home.start().store.move(elsewhere / "third")
    with suppress(FolderUnusable):  # it had come to its end before the signal did
        home.start().store.move(target)
    check_moved(home, target, before)
    assert not any(target.rglob("*.copying"))


def test_renaming_that_was_interrupted_goes_on(home: Home, tmp_path: Path) -> None:
    before, target = furnish(home), tmp_path / "new"
    paths = home.start().settings.paths
    names = (home.folder(CUSTOM_KEY).name, home.folder(BASE_KEY).name, "My fine-tune", ".downloads")
    Journal(home.models_dir, target, names, is_begun=True).save(paths.move_file)
    for path in (home.folder(CUSTOM_KEY), home.folder(BASE_KEY) / "vocab.json"):
        there = target / path.relative_to(home.models_dir)
        there.parent.mkdir(parents=True, exist_ok=True)
        path.rename(there)
    home.start().store.move(target)
    check_moved(home, target, before)


def test_after_the_switch_only_the_old_files_are_left_to_remove(home: Home, elsewhere: Path) -> None:
    """As kill -9 leaves it between the last copy and the first removal."""
    before, target = furnish(home), elsewhere / "Qwen"
    services = home.start()
    copy, journal = home.data_dir / "kept", home.data_dir / "models_move.json"
    shutil.copytree(home.models_dir, copy)

    def keep_journal(_step: StoreProgress) -> None:
        shutil.copyfile(journal, home.data_dir / "j")

    services.store.move(target, keep_journal)
    (home.data_dir / "j").rename(journal)
    copy.rename(home.models_dir)
    steps: list[StoreProgress] = []
    assert home.start().store.move(target, steps.append).left == ()
    check_moved(home, target, before)
    assert len({step.file for step in steps}) <= 2  # the journal is older than the last file


def test_without_room_nothing_is_touched(home: Home, volume: Callable[[int], Path]) -> None:
    before, small = furnish(home), volume(600_000)
    with pytest.raises(DiskLow):
        home.start().store.move(small / "Qwen")
    assert content(home.models_dir) == before
    assert list(small.iterdir()) == []
    assert home.start().settings.paths.models_dir == home.models_dir
    home.start().store.move(home.data_dir / "other")  # another place can be chosen


def test_a_disk_that_fills_up_meanwhile_keeps_what_is_copied(home: Home, volume: Callable[[int], Path]) -> None:
    before, small = furnish(home), volume(3_000_000)
    target, filler = small / "Qwen", small / "filler"

    def fill(_step: StoreProgress) -> None:
        if not filler.exists():
            with filler.open("wb") as stream, pytest.raises(OSError, match="space"):
                stream.write(bytes(3_000_000))

    with pytest.raises(DiskFault) as full:
        home.start().store.move(target, fill)
    assert full.value.code == "DISK_FULL"
    assert whole_somewhere(before, home.models_dir, target)
    filler.unlink()
    home.start().store.move(target)
    check_moved(home, target, before)


def test_nothing_is_overwritten(home: Home, tmp_path: Path, elsewhere: Path) -> None:
    before = furnish(home)
    for target in (tmp_path / "new", elsewhere / "Qwen"):
        same_size = home.folder(CUSTOM_KEY, target) / "model.safetensors"
        other = bytes(len(PUBLISHED[CUSTOM_KEY]["model.safetensors"]))
        for data in (b"another size", other):
            same_size.parent.mkdir(parents=True, exist_ok=True)
            same_size.write_bytes(data)
            with pytest.raises(PlaceTaken) as refused:
                home.start().store.move(target)
            assert refused.value.params == {"path": str(same_size)}
            assert same_size.read_bytes() == data
            assert whole_somewhere(before, home.models_dir, target)
        same_size.write_bytes(before[same_size.relative_to(target).as_posix()])  # the same content is no obstacle
        home.start().store.move(target)
        check_moved(home, target, before)
        home.start().store.move(home.models_dir)


def test_places_that_make_no_sense_are_refused(home: Home, tmp_path: Path) -> None:
    before = furnish(home)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to(home.models_dir)
    wrong = [home.models_dir, home.models_dir / "x", home.data_dir, tmp_path / "file", tmp_path / "link"]
    for target in [*wrong, home.models_dir / ".." / "Qwen"]:
        with pytest.raises(FolderUnusable):
            home.start().store.move(target)
    assert content(home.models_dir) == before


def test_a_variable_that_names_the_folder_must_be_changed_by_hand(home: Home, tmp_path: Path) -> None:
    before = furnish(home)
    moved = home.start(QWEN_TTS_MODELS_DIR=str(home.models_dir)).store.move(tmp_path / "new")
    assert moved.variable == "QWEN_TTS_MODELS_DIR"
    assert content(tmp_path / "new") == before
    assert not (home.data_dir / "preferences.json").exists()


def test_back_to_the_usual_place_leaves_no_choice(home: Home, tmp_path: Path) -> None:
    before = furnish(home)
    home.start().store.move(tmp_path / "new")
    home.start().store.move(home.models_dir)
    assert content(home.models_dir) == before
    assert PreferencesFile(home.data_dir / "preferences.json").read().preferences.models_dir is None


def test_an_empty_studio_can_choose_its_folder(home: Home, tmp_path: Path) -> None:
    home.start().store.move(tmp_path / "new")
    assert home.start().settings.paths.models_dir == tmp_path / "new"


def test_nobody_may_work_in_the_folder(home: Home, elsewhere: Path) -> None:
    before = furnish(home)
    services = home.start()
    store = impatient(services)
    lock = FolderLock(home.parts_dir)
    assert lock.take()
    lock.report(DownloadTask(subject=TOKENIZER_KEY, state=JobState.RUNNING, phase=Phase.TRANSFERRING, seq=1))
    with pytest.raises(DownloadsRunning):
        store.move(elsewhere / "Qwen")
    lock.release()
    assert content(home.models_dir) == before
    refused: list[str] = []

    def meanwhile(_step: StoreProgress) -> None:
        if not refused:
            for use in (lambda: services.qwen_models.load(CUSTOM_KEY), lambda: store.delete(CUSTOM_KEY)):
                try:
                    use()
                except StudioError as error:
                    refused.append(type(error).__name__)
            refused.append(str(FolderLock(home.parts_dir).take()))

    store.move(elsewhere / "Qwen", meanwhile)
    assert refused == [ModelBeingChanged.__name__, "StoreBusy", "False"]
    check_moved(home, elsewhere / "Qwen", before)


def test_what_comes_meanwhile_is_taken_along(home: Home, elsewhere: Path) -> None:
    before, late = furnish(home), home.folder(CUSTOM_KEY) / "late.txt"

    def add(_step: StoreProgress) -> None:
        if not late.exists():
            late.write_bytes(b"late")

    home.start().store.move(elsewhere / "Qwen", add)
    check_moved(home, elsewhere / "Qwen", before | {f"{late.parent.name}/late.txt": b"late"})


def test_a_file_that_changes_after_its_copy_is_copied_again(home: Home, elsewhere: Path) -> None:
    before = furnish(home)
    first: list[str] = []

    def change(step: StoreProgress) -> None:
        first.append(step.file)
        if len(set(first)) == 2 and first[-2] == first[0]:
            (home.models_dir / first[0]).write_bytes(b"changed")

    home.start().store.move(elsewhere / "Qwen", change)
    check_moved(home, elsewhere / "Qwen", before | {first[0]: b"changed"})


def test_a_file_that_changes_while_it_is_copied_is_no_copy(home: Home, elsewhere: Path) -> None:
    before, target = furnish(home), elsewhere / "Qwen"
    part = home.parts_dir / "abc.part"

    def change(step: StoreProgress) -> None:
        if step.file == ".downloads/abc.part":
            part.write_bytes(b"other")

    with pytest.raises(SourceDamaged):
        home.start().store.move(target, change)
    assert not (target / ".downloads" / "abc.part").exists()
    home.start().store.move(target)
    check_moved(home, target, before | {".downloads/abc.part": b"other"})


def test_a_broken_journal_costs_only_a_comparison(home: Home, elsewhere: Path) -> None:
    before, target = furnish(home), elsewhere / "Qwen"
    with pytest.raises(Cancelled):
        home.start().store.move(target, cancelled=stop_after(12))
    journal = home.data_dir / "models_move.json"
    assert json.loads(journal.read_text(encoding="utf-8"))["copied"]
    journal.write_text("{", encoding="utf-8")
    home.start().store.move(target)
    check_moved(home, target, before)


def whole_somewhere(before: Files, source: Path, target: Path) -> bool:
    """Each file, with its right content, in at least one of the folders."""
    places = [content(folder) if folder.exists() else {} for folder in (source, target)]
    return all(any(place.get(name) == data for place in places) for name, data in before.items())
