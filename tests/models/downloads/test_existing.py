"""Copies that this machine has: found in every layout, proven by their hash, linked or copied, never touched."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import huggingface_hub
import pytest
from modelscope_hub import HubApi
from modelscope_hub.config import HubConfig

from tests.hubs.hubs import Hubs
from tests.hubs.models import CODEC_FILE, MAIN_FILE, PublishedModel, make_model
from tests.models.model_folders import BASE_KEY
from tts_core.models.catalogue import Catalogue, ModelEntry, ModelFile, load_catalogue
from tts_core.models.download_faults import DiskLow, Interrupted
from tts_core.models.downloads.adopt import adopt
from tts_core.models.downloads.existing import Copy, CopyPlaces, find_copies
from tts_core.models.downloads.transfer.part_file import want_of
from tts_core.platform.paths import Paths
from tts_core.platform.settings.sources import SourceSettings

Layout = Callable[["Machine", PublishedModel], CopyPlaces]


@dataclass(frozen=True)
class Machine:
    root: Path
    hubs: Hubs
    catalogue: Catalogue

    @property
    def models_dir(self) -> Path:
        return self.root / "models"

    @property
    def elsewhere(self) -> Path:
        return self.root / "elsewhere"

    @property
    def places(self) -> CopyPlaces:
        return CopyPlaces(self.models_dir, self.catalogue.entries())

    def entry(self, model: PublishedModel) -> ModelEntry:
        return self.catalogue.entry(model.key)

    def find(self, model: PublishedModel, places: CopyPlaces) -> dict[str, list[Copy]]:
        found: dict[str, list[Copy]] = {}
        for file, copy in find_copies(self.entry(model).files, self.entry(model), places):
            found.setdefault(file.path, []).append(copy)
        return found


@pytest.fixture
def machine(tmp_path: Path, hubs: Hubs) -> Machine:
    return Machine(tmp_path, hubs, load_catalogue(hubs.catalogue_file))


def put(model: PublishedModel, folder: Path) -> None:
    for path, file in model.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, target)


def file_of(entry: ModelEntry, path: str) -> ModelFile:
    return next(file for file in entry.files if file.path == path)


def hf_snapshot(machine: Machine, model: PublishedModel, cache: Path) -> Path:
    return Path(
        huggingface_hub.snapshot_download(
            model.repository, endpoint=machine.hubs.hf.endpoint, cache_dir=cache, token=False, max_workers=1
        )
    )


def by_huggingface_hub(machine: Machine, model: PublishedModel) -> CopyPlaces:
    hf_snapshot(machine, model, machine.elsewhere / "hub")
    return replace(machine.places, hf_caches=(machine.elsewhere / "hub",))


def hf_without_snapshots(machine: Machine, model: PublishedModel) -> CopyPlaces:
    """Only the blobs of large files, by their sha256."""
    cache = machine.elsewhere / "hub" / f"models--{model.repository.replace('/', '--')}"
    (cache / "blobs").mkdir(parents=True)
    put(model, cache / "snapshots" / "another")
    for path in (MAIN_FILE, CODEC_FILE):
        (cache / "snapshots" / "another" / path).replace(cache / "blobs" / model.files[path].sha256)
    return replace(machine.places, hf_caches=(machine.elsewhere / "hub",))


def hf_without_symlinks(machine: Machine, model: PublishedModel) -> CopyPlaces:
    put(model, machine.elsewhere / f"models--{model.repository.replace('/', '--')}" / "snapshots" / model.revision)
    return replace(machine.places, hf_caches=(machine.elsewhere,))


def hf_with_shared_blobs(machine: Machine, model: PublishedModel) -> CopyPlaces:
    """Blobs that are links into a store which all repositories share."""
    places = by_huggingface_hub(machine, model)
    blobs = machine.elsewhere / "hub" / f"models--{model.repository.replace('/', '--')}" / "blobs"
    for blob in list(blobs.iterdir()):
        stored = machine.elsewhere / "hub" / "blobs" / blob.name[:2] / f"xet-{blob.name}"
        stored.parent.mkdir(parents=True, exist_ok=True)
        blob.replace(stored)
        blob.symlink_to(os.path.relpath(stored, blob.parent))
    return places


def by_modelscope_hub(machine: Machine, model: PublishedModel) -> CopyPlaces:
    config = HubConfig(endpoint=machine.hubs.modelscope.endpoint, config_dir=machine.root / "modelscope_home", token="")
    HubApi(config).download_repo(model.repository, "model", cache_dir=machine.elsewhere)
    return replace(machine.places, modelscope_caches=(machine.elsewhere,))


def modelscope(*parts: str) -> Layout:
    def layout(machine: Machine, model: PublishedModel) -> CopyPlaces:
        owner, name = model.repository.split("/")
        names = {"owner": owner, "name": name, "spelt": name.replace(".", "___")}
        put(model, machine.elsewhere.joinpath(*(part.format(**names) for part in parts)))
        return replace(machine.places, modelscope_caches=(machine.elsewhere,))

    layout.__name__ = f"modelscope {'/'.join(parts)}"
    return layout


def folder(*parts: str, named: str = ".") -> Layout:
    def layout(machine: Machine, model: PublishedModel) -> CopyPlaces:
        names = {"local": model.local, "repository": model.repository, "cache": model.repository.replace("/", "--")}
        put(model, machine.elsewhere.joinpath(*(part.format(**names) for part in parts)))
        return replace(machine.places, folders=(machine.root / "nothing", machine.elsewhere / named))

    layout.__name__ = f"folder {'/'.join(parts) or 'itself'}"
    return layout


def misplaced_in_models_folder(machine: Machine, model: PublishedModel) -> CopyPlaces:
    put(model, machine.models_dir / "Qwen" / f"{model.local} (1)")
    return machine.places


LAYOUTS = (
    by_huggingface_hub,
    hf_without_snapshots,
    hf_without_symlinks,
    hf_with_shared_blobs,
    by_modelscope_hub,
    modelscope("models", "{owner}--{name}", "snapshots", "master"),
    modelscope("models", "{owner}", "{spelt}"),
    modelscope("hub", "models", "{owner}", "{spelt}"),
    modelscope("models", "{owner}", "{name}"),
    modelscope("{owner}", "{name}"),
    modelscope("{owner}", "{spelt}"),
    modelscope("hub", "{owner}", "{name}"),
    folder("{local}"),
    folder("{repository}"),
    folder("tts", "{local}"),
    folder(),
    folder("models--{cache}", "snapshots", "0"),
    folder("env", ".cache", "huggingface", "hub", "models--{cache}", "snapshots", "0", named="env"),
    folder("deep", "down", "somewhere", "model"),
    misplaced_in_models_folder,
)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_file_is_found_and_taken_over(layout: Layout, machine: Machine, small_model: PublishedModel) -> None:
    if layout in (by_huggingface_hub, hf_with_shared_blobs) and sys.platform == "win32":
        pytest.skip("symbolic links need rights here")
    places = layout(machine, small_model)
    for hub in machine.hubs.all:
        hub.log.clear()
    entry, before = machine.entry(small_model), stamps(machine.elsewhere)
    left = {file.path for file in entry.files}
    for file, copy in find_copies(entry.files, entry, places):
        if file.path in left and take(copy.path, file, machine.models_dir / entry.local / file.path):
            left.remove(file.path)
    assert left == set()
    for path, published in small_model.files.items():
        placed = machine.models_dir / entry.local / path
        assert not placed.is_symlink()
        assert placed.read_bytes() == published.source.read_bytes()
    assert stamps(machine.elsewhere) == before
    assert [request for hub in machine.hubs.all for request in hub.log.requests()] == []


def take(copy: Path, file: ModelFile, target: Path) -> bool:
    return adopt(copy, want_of(file, "Qwen/x"), target, cancelled=lambda: False, progress=lambda done: None)


def stamps(root: Path) -> dict[str, tuple[int, int, int]]:
    found = {str(path): path.lstat() for path in sorted(root.rglob("*")) if not path.is_dir()}
    return {name: (one.st_mode, one.st_size, one.st_mtime_ns) for name, one in found.items()}


def test_models_share_files(machine: Machine, small_model: PublishedModel, tmp_path: Path) -> None:
    other = make_model(tmp_path / "other", BASE_KEY)
    machine.hubs.publish(other)
    machine = replace(machine, catalogue=load_catalogue(machine.hubs.catalogue_file))
    put(small_model, machine.models_dir / small_model.local)
    found = machine.find(other, machine.places)
    assert found[CODEC_FILE][0] == Copy(machine.models_dir / small_model.local / CODEC_FILE, "models_folder")
    assert "speech_tokenizer/config.json" in found


def test_a_large_file_in_a_hugging_face_cache_is_found_by_its_name(
    machine: Machine, small_model: PublishedModel
) -> None:
    places = by_huggingface_hub(machine, small_model)
    sha256 = small_model.files[MAIN_FILE].sha256
    (copy,) = machine.find(small_model, places)[MAIN_FILE]
    assert (copy.path.name, copy.found_in) == (sha256, "hf_cache")


def test_another_file_of_the_same_size_and_name_is_not_taken(machine: Machine, small_model: PublishedModel) -> None:
    places = hf_without_symlinks(machine, small_model)
    (wrong,) = (path for path in machine.elsewhere.rglob(MAIN_FILE) if "speech_tokenizer" not in path.parts)
    wrong.write_bytes(bytes(wrong.stat().st_size))
    entry = machine.entry(small_model)
    target = machine.models_dir / entry.local / MAIN_FILE
    (copy,) = machine.find(small_model, places)[MAIN_FILE]
    assert not take(copy.path, file_of(entry, MAIN_FILE), target)
    assert not target.parent.exists()


def test_files_that_can_t_be_copies_are_passed_over(machine: Machine, small_model: PublishedModel) -> None:
    """Of another size, a folder, a pipe that would never end, a broken link, unreadable; a folder linked to itself."""
    if sys.platform == "win32":
        pytest.skip("no pipes and links to be had")
    entry = machine.entry(small_model)
    here = machine.elsewhere / small_model.local
    put(small_model, here)
    (here / "merges.txt").write_bytes(b"short")
    for path in ("vocab.json", MAIN_FILE, "config.json", "generation_config.json"):
        (here / path).unlink()
    (here / "vocab.json").mkdir()
    os.mkfifo(here / MAIN_FILE)
    (here / "config.json").symlink_to(machine.root / "nowhere")
    (here / "generation_config.json").symlink_to("generation_config.json")
    (here / "loop").symlink_to(machine.elsewhere, target_is_directory=True)
    hidden = here / "tokenizer_config.json"
    hidden.chmod(0)
    found = machine.find(small_model, replace(machine.places, folders=(machine.elsewhere,)))
    paths = {copy.path for copies in found.values() for copy in copies}
    assert not paths & {here / path for path in small_model.files if "/" not in path} - {hidden}
    assert here / CODEC_FILE in paths
    assert (hidden in paths) == os.access(hidden, os.R_OK)
    assert not take(here / MAIN_FILE, file_of(entry, MAIN_FILE), machine.models_dir / "pipe")


def test_a_model_s_own_place_is_no_copy(machine: Machine, small_model: PublishedModel) -> None:
    put(small_model, machine.models_dir / small_model.local)
    same = machine.root / "same"
    if sys.platform != "win32":
        same.symlink_to(machine.models_dir, target_is_directory=True)
    found = machine.find(small_model, replace(machine.places, folders=(machine.models_dir, same)))
    for path, copies in found.items():  # the other weights happen to be as large
        assert not any(copy.path.samefile(machine.models_dir / small_model.local / path) for copy in copies)


def test_a_file_that_nobody_knows_the_hash_of_is_not_looked_for(machine: Machine, small_model: PublishedModel) -> None:
    put(small_model, machine.elsewhere)
    entry = machine.entry(small_model)
    file = replace(file_of(entry, MAIN_FILE), sha256=None)
    assert list(find_copies([file], entry, replace(machine.places, folders=(machine.elsewhere,)))) == []
    assert not take(machine.elsewhere / MAIN_FILE, file, machine.models_dir / "x")


def test_looking_where_nothing_is_and_where_very_much_is_takes_no_time(
    machine: Machine, small_model: PublishedModel
) -> None:
    crowd = machine.root / "crowd"
    for number in range(60):
        (crowd / str(number)).mkdir(parents=True)
        for name in range(100):
            (crowd / str(number) / f"{name}.txt").touch()
    places = replace(machine.places, folders=(crowd, machine.root / "no"), hf_caches=(machine.root / "none",))
    began = time.monotonic()
    assert machine.find(small_model, places) == {}
    assert time.monotonic() - began < 60


def test_places_come_from_the_settings(machine: Machine) -> None:
    usual = Paths(machine.root, machine.root / "models" / "Qwen")
    settings = SourceSettings(hf_caches=(Path("/a"),), modelscope_caches=(Path("/b"),), model_folders=(Path("/c"),))
    assert CopyPlaces.of(usual, settings, machine.catalogue) == CopyPlaces(
        usual.models_dir, machine.catalogue.entries(), (Path("/a"),), (Path("/b"),), (Path("/c"),)
    )
    moved = replace(usual, models_dir=Path("/models"))
    assert CopyPlaces.of(moved, settings, machine.catalogue).folders == (usual.models_dir, Path("/c")), (
        "earlier downloads"
    )


@pytest.fixture
def weights(machine: Machine, small_model: PublishedModel) -> tuple[Path, ModelFile, Path]:
    """A copy, what is wanted, and where it shall go."""
    put(small_model, machine.elsewhere)
    entry = machine.entry(small_model)
    return machine.elsewhere / MAIN_FILE, file_of(entry, MAIN_FILE), machine.models_dir / entry.local / MAIN_FILE


def test_weights_are_linked_and_texts_are_copied(
    weights: tuple[Path, ModelFile, Path], machine: Machine, small_model: PublishedModel
) -> None:
    copy, file, target = weights
    done: list[int] = []
    want = want_of(file, "Qwen/x")
    assert adopt(copy, want, target, cancelled=lambda: False, progress=done.append)
    assert target.samefile(copy)
    assert (done[-1], sorted(done)) == (file.size, done)
    text = file_of(machine.entry(small_model), "config.json")
    assert take(machine.elsewhere / "config.json", text, target.with_name("config.json"))
    assert not target.with_name("config.json").samefile(machine.elsewhere / "config.json")
    copy.unlink()
    assert target.stat().st_size == file.size


def test_a_link_to_a_cache_becomes_a_file_of_its_own(weights: tuple[Path, ModelFile, Path]) -> None:
    if sys.platform == "win32":
        pytest.skip("symbolic links need rights here")
    copy, file, target = weights
    link = copy.with_name("link.safetensors")
    link.symlink_to(copy.name)
    assert take(link, file, target)
    assert not target.is_symlink()
    shutil.rmtree(copy.parent)
    assert target.stat().st_size == file.size


def test_another_volume_gets_a_copy(weights: tuple[Path, ModelFile, Path]) -> None:
    copy, file, _ = weights
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == copy.stat().st_dev:
        pytest.skip("there is no other volume")
    folder = memory / f"tts-studio-test-{os.getpid()}"
    target = folder / "model.safetensors"
    try:
        assert take(copy, file, target)
        assert target.read_bytes() == copy.read_bytes()
        assert [path.name for path in folder.iterdir()] == [target.name]
        assert target.stat().st_nlink == 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_what_stands_in_the_place_is_kept(weights: tuple[Path, ModelFile, Path]) -> None:
    copy, file, target = weights
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    assert take(copy, file, target)
    assert target.with_name(f"{target.name}.wrong-1").read_bytes() == b"mine"
    assert target.samefile(copy)


def test_a_stop_leaves_nothing_behind(weights: tuple[Path, ModelFile, Path]) -> None:
    copy, file, target = weights
    for name in (target, target.with_name("text.json")):  # linked, copied
        with pytest.raises(Interrupted):
            adopt(
                copy,
                replace(want_of(file, "Qwen/x"), file=name.name),
                name,
                cancelled=lambda: True,
                progress=lambda done: None,
            )
    assert not target.parent.exists() or list(target.parent.iterdir()) == []
    assert copy.stat().st_size == file.size


def test_a_copy_that_finds_no_room_says_so(weights: tuple[Path, ModelFile, Path], tmp_path: Path) -> None:
    _, file, target = weights
    huge = tmp_path / "huge.txt"
    try:
        with huge.open("wb") as stream:
            stream.truncate(1 << 43)
    except OSError:
        pytest.skip("no sparse file of eight terabytes to be had")
    if shutil.disk_usage(tmp_path).free > 1 << 43:
        pytest.skip("there is that much room")
    want = replace(want_of(file, "Qwen/x"), size=huge.stat().st_size, file="huge.txt")
    with pytest.raises(DiskLow):
        adopt(huge, want, target, cancelled=lambda: False, progress=lambda done: None)
    assert not target.parent.exists()
