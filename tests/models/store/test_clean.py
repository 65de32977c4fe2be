"""Only what is listed goes, and only on request."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, PUBLISHED
from tests.models.store.conftest import Home, content, impatient
from tts_core.models.download_task import DownloadTask, Phase
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.transfer.part_file import PartStore, want_of
from tts_core.models.store.faults import DownloadsRunning
from tts_core.models.store.reports import LeftoverKind
from tts_core.platform.job import JobState

ORPHAN = ".cache/huggingface/download/abc.1234.incomplete"


def age(file: Path) -> None:
    long_ago = time.time() - 86_400
    os.utime(file, (long_ago, long_ago))


def litter(home: Home) -> dict[Path, LeftoverKind]:
    """A ready model among leftovers of every kind, and things that look like them."""
    folder = home.install(CUSTOM_KEY)
    kinds = {
        folder / ORPHAN: LeftoverKind.OTHER_CLIENT,
        folder / "._____temp" / "model.safetensors": LeftoverKind.OTHER_CLIENT,
        folder / "model.safetensors.wrong-2": LeftoverKind.SET_ASIDE,
        folder / ".vocab.json.adopting": LeftoverKind.PART,
        folder / "speech_tokenizer" / "model.safetensors.copying": LeftoverKind.PART,
        home.parts_dir / f"{'0' * 64}.part": LeftoverKind.PART,
        home.parts_dir / f"{'1' * 64}.bad": LeftoverKind.SET_ASIDE,
    }
    others = [
        folder / "notes.wrong-1",
        folder / "mine.copying",
        folder / ".cache" / "huggingface" / "x.metadata",
        home.models_dir / "Mine" / "model.safetensors.incomplete",
    ]
    for file in (*kinds, *others):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"123")
        age(file)
    return kinds


def test_leftovers_are_listed_first_and_removed_on_request(home: Home) -> None:
    kinds = litter(home)
    store, before = home.start().store, content(home.models_dir)
    listed = store.leftovers()
    assert {leftover.path: leftover.kind for leftover in listed} == kinds
    assert content(home.models_dir) == before
    cleaned = store.clean(listed)
    assert (set(cleaned.removed), cleaned.freed_bytes, cleaned.kept) == (set(kinds), 3 * len(kinds), ())
    gone = {path.relative_to(home.models_dir).as_posix() for path in kinds}
    assert content(home.models_dir) == {name: data for name, data in before.items() if name not in gone}
    assert store.leftovers() == ()
    assert home.start().models.status(CUSTOM_KEY).valid


def test_what_changed_since_or_is_being_written_stays(home: Home) -> None:
    litter(home)
    store = home.start().store
    fresh, aside = home.folder(CUSTOM_KEY) / ORPHAN, home.folder(CUSTOM_KEY) / "model.safetensors.wrong-2"
    os.utime(fresh)
    listed = store.leftovers()
    assert [leftover.path for leftover in listed if leftover.is_recent] == [fresh]
    aside.write_bytes(b"other content now")
    assert set(store.clean(listed).kept) == {fresh, aside}
    assert fresh.exists()
    assert aside.exists()


def test_a_part_that_some_model_waits_for_is_no_leftover(home: Home) -> None:
    services = home.start()
    home.install(BASE_KEY, **{"model.safetensors": None})
    entry = services.models.entry(BASE_KEY)
    file = next(file for file in entry.files if file.path == "model.safetensors")
    parts = PartStore(home.parts_dir)
    with parts.open(want_of(file, entry.hf)) as part:
        part.write(0, PUBLISHED[BASE_KEY]["model.safetensors"][:1000])
    assert services.store.leftovers() == ()
    home.install(BASE_KEY)
    (leftover,) = services.store.leftovers()
    assert services.store.clean([leftover]).removed == (leftover.path,)
    assert {path.name for path in home.parts_dir.iterdir()} == {"lock"}  # its journal has gone, too


def test_nothing_is_cleaned_while_something_is_downloaded(home: Home) -> None:
    kinds, store = litter(home), impatient(home.start())
    lock = FolderLock(home.parts_dir)
    assert lock.take()
    lock.report(DownloadTask(subject=BASE_KEY, state=JobState.RUNNING, phase=Phase.TRANSFERRING, seq=1))
    with pytest.raises(DownloadsRunning):
        store.clean(store.leftovers())
    assert all(file.exists() for file in kinds)
    lock.release()
