"""Deleting frees what it says, takes only what belongs to the model, and never what is in use."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, PUBLISHED, TOKENIZER_KEY
from tests.models.store.conftest import Home, content, impatient
from tts_core.domain.errors import UnknownModelKey
from tts_core.models.cached_model import LoadProgress, ModelLoader
from tts_core.models.download_task import DownloadTask, Phase
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.transfer.part_file import PartStore, want_of
from tts_core.models.faults import ModelBeingChanged, ModelInMemory, ModelInUse
from tts_core.models.files.findings import ModelState
from tts_core.models.memory import ModelCache, ModelMemory
from tts_core.models.store.faults import ModelDownloading, ModelNotThere, StoreBusy
from tts_core.platform.job import JobState

CODEC = "speech_tokenizer/model.safetensors"


def size_of(key: str) -> int:
    return sum(map(len, PUBLISHED[key].values()))


def test_the_model_goes_and_its_bytes_come_back(home: Home) -> None:
    folder = home.install(CUSTOM_KEY)
    home.install(BASE_KEY)
    store = home.start().store
    planned = store.removal(CUSTOM_KEY)
    assert folder.exists()
    done = store.delete(CUSTOM_KEY)
    assert done == planned
    assert (done.freed_bytes, done.shared_bytes, done.left) == (size_of(CUSTOM_KEY), 0, ())
    assert not folder.exists()
    assert content(home.folder(BASE_KEY)) == PUBLISHED[BASE_KEY]
    assert home.start().models.status(CUSTOM_KEY).state is ModelState.NOT_DOWNLOADED


def test_bytes_that_live_on_in_another_model_are_not_freed(home: Home) -> None:
    custom, base = home.install(CUSTOM_KEY), home.install(BASE_KEY)
    (custom / CODEC).unlink()
    (custom / CODEC).hardlink_to(base / CODEC)
    store, shared = home.start().store, len(PUBLISHED[BASE_KEY][CODEC])
    done = store.delete(CUSTOM_KEY)
    assert (done.freed_bytes, done.shared_bytes) == (size_of(CUSTOM_KEY) - shared, shared)
    assert store.delete(BASE_KEY).freed_bytes == size_of(BASE_KEY)


def test_free_space_really_grows_by_what_was_told(home: Home, elsewhere: Path) -> None:
    big = b"\1" * 40_000_000
    services = home.start(QWEN_TTS_MODELS_DIR=str(elsewhere / "models"))
    folder = services.models.folder(TOKENIZER_KEY)
    grown = []
    for _ in range(5):  # others may use that volume, too
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(big)
        before = _free(elsewhere)
        assert services.store.delete(TOKENIZER_KEY).freed_bytes == len(big)
        grown.append(_free(elsewhere) - before)
    assert pytest.approx(len(big), abs=2_000_000) in grown


def test_foreign_files_stay_and_are_named(home: Home) -> None:
    folder = home.install(CUSTOM_KEY)
    foreign = {
        "notes.txt": b"mine",
        "speech_tokenizer/backup.bin": b"mine too",
        "model.safetensors.wrong": b"no number",
    }
    for name, data in foreign.items():
        (folder / name).write_bytes(data)
    (folder / "model.safetensors.wrong-1").write_bytes(b"set aside")
    done = home.start().store.delete(CUSTOM_KEY)
    assert sorted(done.left) == sorted(foreign)
    assert content(folder) == foreign
    assert done.freed_bytes == size_of(CUSTOM_KEY) + len(b"set aside")


def test_links_go_and_what_they_lead_to_stays(home: Home, tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("links need a privilege on Windows")
    real = home.install(CUSTOM_KEY)
    away = tmp_path / "away"
    real.rename(away)
    store = home.start().store
    real.symlink_to(away)
    assert store.delete(CUSTOM_KEY).freed_bytes == 0
    real.mkdir()
    (real / "config.json").write_bytes(b"{}")
    (real / "speech_tokenizer").symlink_to(away / "speech_tokenizer")
    store.delete(CUSTOM_KEY)
    assert not real.exists()
    assert content(away) == PUBLISHED[CUSTOM_KEY]


def test_its_own_parts_go_but_not_those_that_another_begun_model_needs(home: Home) -> None:
    services = home.start()
    entry = services.models.entry(CUSTOM_KEY)
    parts = PartStore(home.parts_dir)
    for path in ("model.safetensors", CODEC):
        file = next(file for file in entry.files if file.path == path)
        with parts.open(want_of(file, entry.hf)) as part:
            part.write(0, PUBLISHED[CUSTOM_KEY][path][:1000])
    home.install(BASE_KEY, **{CODEC: None})
    assert len(services.store.removal(CUSTOM_KEY).files) == 1
    services.store.delete(CUSTOM_KEY)
    assert [part.name for part in parts.leftovers()] == [next(f.sha256 for f in entry.files if f.path == CODEC)]
    services.store.delete(BASE_KEY)
    assert parts.leftovers() == ()
    assert {path.name for path in home.parts_dir.iterdir()} <= {"lock"}


def test_nothing_to_delete_and_an_unknown_model_are_told(home: Home) -> None:
    store = home.start().store
    with pytest.raises(ModelNotThere):
        store.delete(CUSTOM_KEY)
    with pytest.raises(UnknownModelKey):
        store.delete("nope")
    assert not home.models_dir.exists()


class Model:
    memory_bytes = 1
    device = "cpu"

    def close(self) -> None:
        """Nothing to free."""


def test_a_model_in_memory_is_not_deleted(home: Home) -> None:
    folder = home.install(CUSTOM_KEY)
    services = home.start()
    memory = ModelMemory()
    cache = ModelCache(memory, ModelLoader("any", lambda _folder, _progress: Model(), services.models.folder))
    store = impatient(services, memory)
    with cache.lease(CUSTOM_KEY), pytest.raises(ModelInUse) as used:
        store.delete(CUSTOM_KEY)
    assert used.value.params == {"key": CUSTOM_KEY, "users": 1}
    with pytest.raises(ModelInMemory):
        store.delete(CUSTOM_KEY)
    assert content(folder) == PUBLISHED[CUSTOM_KEY]
    memory.unload("any", CUSTOM_KEY)
    store.delete(CUSTOM_KEY)
    assert not folder.exists()
    cache.load(CUSTOM_KEY)  # what was kept out comes in again


def test_a_model_can_be_loaded_or_deleted_but_never_both(home: Home) -> None:
    """Whoever loads sees all files or is refused; whoever deletes leaves none of a model that is in memory."""
    folder = home.folder(TOKENIZER_KEY)
    weights = folder / "model.safetensors"

    def load(_folder: Path, _progress: LoadProgress) -> Model:
        sizes = [weights.stat().st_size]
        time.sleep(0.001)
        sizes.append(weights.stat().st_size)
        assert sizes[0] == sizes[1]
        return Model()

    services, memory = home.start(), ModelMemory()
    cache = ModelCache(memory, ModelLoader("any", load, services.models.folder))
    store = impatient(services, memory)
    broken: list[BaseException] = []

    def use() -> None:
        for _ in range(40):
            try:
                if weights.exists():
                    cache.load(TOKENIZER_KEY)
                    assert weights.exists()
                    memory.unload("any", TOKENIZER_KEY)
            except (ModelBeingChanged, FileNotFoundError):
                time.sleep(0.001)  # refused, or deleted between the look and the load
            except AssertionError as error:
                broken.append(error)

    for _ in range(15):
        home.install(TOKENIZER_KEY)
        user = threading.Thread(target=use)
        user.start()
        try:
            store.delete(TOKENIZER_KEY)
        except ModelInUse:
            assert weights.exists()
        user.join()
    assert broken == []


def test_a_model_that_another_process_downloads_is_not_deleted(home: Home) -> None:
    folder = home.install(CUSTOM_KEY)
    home.install(BASE_KEY)
    store = impatient(home.start())
    lock = FolderLock(home.parts_dir)
    assert lock.take()
    with pytest.raises(StoreBusy):  # nobody knows yet what is at work
        store.delete(CUSTOM_KEY)
    lock.report(DownloadTask(subject=CUSTOM_KEY, state=JobState.RUNNING, phase=Phase.TRANSFERRING, seq=1))
    with pytest.raises(ModelDownloading):
        store.delete(CUSTOM_KEY)
    assert content(folder) == PUBLISHED[CUSTOM_KEY]
    store.delete(BASE_KEY)  # another one can go meanwhile
    lock.release()
    store.delete(CUSTOM_KEY)


def test_models_can_be_deleted_at_the_same_time(home: Home) -> None:
    keys = [CUSTOM_KEY, BASE_KEY, TOKENIZER_KEY]
    for key in keys:
        home.install(key)
    store, freed = home.start().store, []
    threads = [threading.Thread(target=lambda key=key: freed.append(store.delete(key).freed_bytes)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(freed) == sorted(size_of(key) for key in keys)


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
