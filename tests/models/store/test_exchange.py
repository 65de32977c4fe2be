"""A model carried to another machine by hand arrives whole, from any layout, and nothing is overwritten."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, PUBLISHED, TOKENIZER_KEY, catalogue_entry, write_files
from tests.models.store.conftest import Home, content, impatient, stop_after
from tts_core.domain.errors import Cancelled, ModelNotReady
from tts_core.models.catalogue import ModelKind
from tts_core.models.download_faults import DiskLow
from tts_core.models.download_task import DownloadTask, Phase
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.files.findings import ModelState, Verification
from tts_core.models.store.exchange import MANIFEST
from tts_core.models.store.faults import FolderUnusable, ModelDownloading, PlaceTaken
from tts_core.models.store.reports import StoreProgress
from tts_core.platform.job import JobState


@pytest.fixture
def other(tmp_path: Path) -> Home:
    """Another machine."""
    return Home(tmp_path / "other")


def export(home: Home, stick: Path, key: str = CUSTOM_KEY) -> Path:
    home.install(key)
    return home.start().store.export(key, stick).folder


def test_an_export_becomes_the_same_model_elsewhere(home: Home, other: Home, tmp_path: Path) -> None:
    steps: list[StoreProgress] = []
    home.install(CUSTOM_KEY)
    exported = home.start().store.export(CUSTOM_KEY, tmp_path / "stick", steps.append)
    assert steps[-1].done_bytes == steps[-1].total_bytes == exported.total_bytes
    files = content(exported.folder)
    manifest = json.loads(files.pop(MANIFEST))
    assert files == PUBLISHED[CUSTOM_KEY]
    told = {path: entry["sha256"] for path, entry in manifest[CUSTOM_KEY]["files"].items()}
    assert told == {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    imported = other.start().store.import_from(CUSTOM_KEY, tmp_path / "stick")
    assert (set(imported.adopted), imported.missing, imported.was_ready) == (set(files), (), False)
    assert content(other.folder(CUSTOM_KEY)) == PUBLISHED[CUSTOM_KEY]
    assert other.start().models.status(CUSTOM_KEY).verification is Verification.VERIFIED


def test_an_export_is_independent_of_the_model(home: Home, tmp_path: Path) -> None:
    exported = export(home, tmp_path)
    assert all(path.stat().st_nlink == 1 for path in exported.rglob("*") if path.is_file())


def test_an_export_goes_on_where_it_was_stopped(home: Home, tmp_path: Path) -> None:
    home.install(CUSTOM_KEY)
    store = home.start().store
    stamps: dict[Path, int] = {}
    for allowed in itertools.count(3, 4):
        try:
            exported = store.export(CUSTOM_KEY, tmp_path / "stick", cancelled=stop_after(allowed))
        except Cancelled:
            for path in (tmp_path / "stick").rglob("*.json"):
                assert stamps.setdefault(path, path.stat().st_ino) == path.stat().st_ino
            assert not list((tmp_path / "stick").rglob(MANIFEST))
        else:
            break
    assert stamps
    assert content(exported.folder).keys() - {MANIFEST} == PUBLISHED[CUSTOM_KEY].keys()
    store.export(CUSTOM_KEY, tmp_path / "stick")  # once more: compared, not copied


def test_an_export_refuses_what_it_would_spoil(home: Home, tmp_path: Path, volume: Callable[[int], Path]) -> None:
    with pytest.raises(ModelNotReady):
        home.start().store.export(CUSTOM_KEY, tmp_path)
    folder = home.install(CUSTOM_KEY)
    with pytest.raises(FolderUnusable):
        home.start().store.export(CUSTOM_KEY, home.models_dir)
    right = PUBLISHED[CUSTOM_KEY]["model.safetensors"]
    taken = tmp_path / "stick" / folder.name / "model.safetensors"
    taken.parent.mkdir(parents=True)
    for data in (b"another size", bytes(len(right))):
        taken.write_bytes(data)
        with pytest.raises(PlaceTaken):
            home.start().store.export(CUSTOM_KEY, tmp_path / "stick")
        assert taken.read_bytes() == data
    small = volume(200_000)
    with pytest.raises(DiskLow):
        home.start().store.export(CUSTOM_KEY, small)
    assert list(small.iterdir()) == []


LAYOUTS: dict[str, str] = {
    "flat, as ModelScope's client leaves it": "",
    "one folder below": "Qwen3-TTS-12Hz-0.6B-CustomVoice",
    "huggingface cache": "hub/models--Qwen--Qwen3-TTS-12Hz-0.6B-CustomVoice/snapshots/abc",
    "modelscope cache": "models/Qwen/Qwen3-TTS-12Hz-0___6B-CustomVoice",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_is_understood_and_left_as_it_is(other: Home, tmp_path: Path, layout: str) -> None:
    folder = tmp_path / "somewhere"
    write_files(folder / LAYOUTS[layout], PUBLISHED[CUSTOM_KEY] | {"README.md": b"about"})
    before = content(folder)
    imported = other.start().store.import_from(CUSTOM_KEY, folder)
    assert (imported.missing, len(imported.adopted)) == ((), len(PUBLISHED[CUSTOM_KEY]))
    assert content(other.folder(CUSTOM_KEY)) == PUBLISHED[CUSTOM_KEY]
    assert content(folder) == before


def test_a_snapshot_of_links_becomes_real_files(other: Home, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--Qwen--Qwen3-TTS-12Hz-0.6B-CustomVoice"
    (cache / "blobs").mkdir(parents=True)
    for name, data in PUBLISHED[CUSTOM_KEY].items():
        blob = cache / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        link = cache / "snapshots" / "abc" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    for folder in (cache / "snapshots" / "abc", tmp_path / "hub"):
        assert other.start().store.import_from(CUSTOM_KEY, folder).missing == ()
        assert not any(path.is_symlink() for path in other.folder(CUSTOM_KEY).rglob("*"))
        assert content(other.folder(CUSTOM_KEY)) == PUBLISHED[CUSTOM_KEY]
        shutil.rmtree(other.folder(CUSTOM_KEY))


def test_what_is_missing_or_wrong_is_named_and_the_rest_is_kept(other: Home, tmp_path: Path) -> None:
    folder, main = tmp_path / "somewhere", "model.safetensors"
    files = {path: data for path, data in PUBLISHED[CUSTOM_KEY].items() if path != "vocab.json"}
    damaged = files[main][:-1] + bytes([files[main][-1] ^ 1])
    write_files(folder, {**files, main: damaged})
    imported = other.start().store.import_from(CUSTOM_KEY, folder)
    assert set(imported.missing) == {main, "vocab.json"}
    assert other.start().models.status(CUSTOM_KEY).state is ModelState.INCOMPLETE
    write_files(folder, PUBLISHED[CUSTOM_KEY])
    imported = other.start().store.import_from(CUSTOM_KEY, folder)
    assert (set(imported.adopted), imported.missing) == ({main, "vocab.json"}, ())


def test_a_damaged_file_is_mended_and_kept_aside(other: Home, tmp_path: Path) -> None:
    main = "model.safetensors"
    right = PUBLISHED[CUSTOM_KEY][main]
    damaged = right[:-1] + bytes([right[-1] ^ 1])
    folder = other.install(CUSTOM_KEY, **{main: damaged, "vocab.json": None})
    write_files(tmp_path / "somewhere", PUBLISHED[CUSTOM_KEY])
    assert other.start().store.import_from(CUSTOM_KEY, tmp_path / "somewhere").missing == ()
    assert content(folder) == PUBLISHED[CUSTOM_KEY] | {f"{main}.wrong-1": damaged}


def test_a_complete_model_is_not_touched(home: Home, tmp_path: Path) -> None:
    folder = home.install(CUSTOM_KEY)
    write_files(tmp_path / "somewhere", PUBLISHED[CUSTOM_KEY])
    before = {path: path.stat().st_ino for path in folder.rglob("*")}
    imported = home.start().store.import_from(CUSTOM_KEY, tmp_path / "somewhere")
    assert (imported.was_ready, imported.adopted) == (True, ())
    assert {path: path.stat().st_ino for path in folder.rglob("*")} == before


def test_files_without_checksum_are_taken_by_an_exports_manifest_alone(tmp_path: Path) -> None:
    homes = []
    for name in ("here", "there"):
        homes.append(Home(tmp_path / name))
        entry = catalogue_entry(ModelKind.BASE, "Mine", PUBLISHED[BASE_KEY], with_hashes=False)
        homes[-1].catalogue_file.write_text(json.dumps({"mine": entry}), encoding="utf-8")
    here, there = (home.start() for home in homes)
    write_files(here.models.folder("mine"), PUBLISHED[BASE_KEY])
    exported = here.store.export("mine", tmp_path / "stick").folder
    manifest = (exported / MANIFEST).read_bytes()
    (exported / MANIFEST).unlink()
    assert there.store.import_from("mine", tmp_path / "stick").adopted == ()
    (exported / MANIFEST).write_bytes(manifest)
    assert there.store.import_from("mine", tmp_path / "stick").missing == ()
    assert content(there.models.folder("mine")) == PUBLISHED[BASE_KEY]


def test_an_import_needs_a_folder_and_no_download_beside_it(home: Home, tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable):
        home.start().store.import_from(CUSTOM_KEY, tmp_path / "nowhere")
    write_files(tmp_path / "somewhere", PUBLISHED[CUSTOM_KEY] | PUBLISHED[TOKENIZER_KEY])
    lock = FolderLock(home.parts_dir)
    assert lock.take()
    lock.report(DownloadTask(subject=CUSTOM_KEY, state=JobState.RUNNING, phase=Phase.TRANSFERRING, seq=1))
    with pytest.raises(ModelDownloading):
        impatient(home.start()).import_from(CUSTOM_KEY, tmp_path / "somewhere")
    assert not home.folder(CUSTOM_KEY).exists()
    lock.release()
