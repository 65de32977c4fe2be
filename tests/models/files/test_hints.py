"""What people do with folders by hand, recognised and explained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.models.model_folders import (
    BASE_KEY,
    CUSTOM_KEY,
    LARGE_KEY,
    PUBLISHED,
    TOKENIZER,
    TOKENIZER_KEY,
    Studio,
    by_code,
    config,
    write_files,
)
from tts_core.models.catalogue import ModelKind
from tts_core.models.files.findings import HINT_TEMPLATES, PROBLEM_TEMPLATES, ModelState

FILES = dict(PUBLISHED[BASE_KEY])


def tree(root: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in root.rglob("*")}


@pytest.mark.parametrize("below", ["Qwen3-TTS-12Hz-0.6B-Base", "snapshots/5d83992", "a/b/c"])
def test_a_model_one_level_too_deep_is_found(studio: Studio, below: str) -> None:
    folder = studio.folder(BASE_KEY)
    write_files(folder / below, FILES)
    before = tree(studio.root)
    status = studio.status(BASE_KEY)
    assert status.state is ModelState.NOT_DOWNLOADED
    assert {hint.code: hint.params for hint in status.hints} == {
        "nested_folder": {"found": str(folder / below), "folder": str(folder)}
    }
    assert tree(studio.root) == before


@pytest.mark.parametrize(
    "name",
    [
        "Qwen3-TTS-12Hz-0___6B-Base",
        "Qwen/Qwen3-TTS-12Hz-0___6B-Base",
        "models--Qwen--Qwen3-TTS-12Hz-0.6B-Base/snapshots/5d83992",
        "qwen3-tts-12hz-0.6b-base",
        "新建文件夹",
    ],
)
def test_a_model_under_another_name_is_found_for_its_own_entry_only(studio: Studio, name: str) -> None:
    write_files(studio.models_dir / name, FILES)
    for status in studio.manager().statuses():
        hints = {hint.code: hint.params for hint in status.hints}
        found = {"found": str(studio.models_dir / name), "folder": str(studio.folder(status.key))}
        assert hints == ({"other_folder_name": found} if status.key == BASE_KEY else {})


def test_a_folder_that_another_entry_owns_is_never_suggested(studio: Studio) -> None:
    write_files(studio.folder(CUSTOM_KEY), FILES)
    assert studio.status(BASE_KEY).hints == ()


def test_a_second_copy_elsewhere_means_nothing_once_the_own_folder_has_files(studio: Studio) -> None:
    write_files(studio.models_dir / "copy", FILES)
    studio.install(BASE_KEY, **{"config.json": None})
    assert studio.status(BASE_KEY).hints == ()


def test_a_model_of_unknown_size_is_told_by_its_weights(studio: Studio) -> None:
    unsized = config(ModelKind.CUSTOM_VOICE, "")
    write_files(studio.models_dir / "somewhere", {**PUBLISHED[LARGE_KEY], "config.json": unsized})
    assert studio.status(CUSTOM_KEY).hints == ()
    assert set(by_code(studio.status(LARGE_KEY).hints)) == {"other_folder_name"}


def test_files_directly_in_the_models_folder_are_found(studio: Studio) -> None:
    write_files(studio.models_dir, FILES)
    status = studio.status(BASE_KEY)
    assert by_code(status.hints)["loose_files"].params == {
        "found": str(studio.models_dir),
        "folder": str(studio.folder(BASE_KEY)),
    }
    assert studio.status(TOKENIZER_KEY).hints == ()


@pytest.mark.parametrize("name", ["model (1).safetensors", "model(2).safetensors", "codec.safetensors"])
def test_weights_of_a_sub_folder_in_the_folder_itself_are_a_flat_copy(studio: Studio, name: str) -> None:
    codec = "speech_tokenizer/model.safetensors"
    studio.install(BASE_KEY, **{codec: None, name: FILES[codec]})
    status = studio.status(BASE_KEY)
    assert status.missing == (codec,)
    assert by_code(status.hints)["flat_copy"].params == {
        "files": name,
        "folder": str(studio.folder(BASE_KEY) / "speech_tokenizer"),
    }


def test_a_flat_copy_that_overwrote_the_models_own_files_is_explained(studio: Studio) -> None:
    own = {path: data for path, data in FILES.items() if "/" not in path}
    write_files(studio.folder(BASE_KEY), {**own, **TOKENIZER})
    status = studio.status(BASE_KEY)
    assert status.state is ModelState.ERROR
    assert by_code(status.problems)["wrong_model_kind"].params["found"] == "tokenizer"
    assert by_code(status.hints)["flat_copy"].params["files"] == "model.safetensors, preprocessor_config.json"


def test_a_browsers_second_copy_means_nothing_in_a_whole_model(studio: Studio) -> None:
    studio.install(BASE_KEY, **{"config (1).json": b"{}"})
    assert set(by_code(studio.status(BASE_KEY).hints)) == {"extra_files"}


def test_leftovers_of_downloads_are_counted(studio: Studio) -> None:
    leftovers = {
        ".cache/huggingface/download/abc.incomplete": b"12345",
        "x.part": b"123",
        "Unconfirmed 12.crdownload": b"1",
        "._____temp/model.safetensors": b"1",
    }
    studio.install(BASE_KEY, **leftovers)
    status = studio.status(BASE_KEY)
    assert status.valid
    assert by_code(status.hints)["leftover_parts"].params == {"count": 4, "size": 10}
    assert status.extra_files == ()


def test_other_files_are_listed_and_do_no_harm(studio: Studio) -> None:
    ignored = {".gitattributes": b"", "README.md": b"", ".cache/huggingface/x.metadata": b"", ".msc": b""}
    studio.install(BASE_KEY, **{**ignored, "configuration.json": b"{}", "samples/a.wav": b""})
    status = studio.status(BASE_KEY)
    assert (status.state, status.extra_files) == (ModelState.READY, ("configuration.json", "samples/a.wav"))
    assert by_code(status.hints)["extra_files"].params == {"count": 2}


def test_links_are_followed_but_never_in_circles(studio: Studio, tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk" / "base"
    write_files(elsewhere, FILES)
    (elsewhere / "again").symlink_to(elsewhere)
    studio.models_dir.mkdir()
    (studio.models_dir / "loop").symlink_to(studio.models_dir)
    (studio.models_dir / "linked").symlink_to(elsewhere)
    assert by_code(studio.status(BASE_KEY).hints)["other_folder_name"].params["found"] in (
        str(studio.models_dir / "linked"),
        str(studio.models_dir / "loop" / "linked"),
    )
    studio.folder(BASE_KEY).symlink_to(elsewhere)
    status = studio.status(BASE_KEY)
    assert (status.valid, status.extra_files) == (True, ())


def test_the_look_around_ends_in_a_huge_folder(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_core.models.files.folders._MAX_ENTRIES", 20)
    for number in range(50):
        (studio.models_dir / f"folder{number:02}" / "x").mkdir(parents=True)
    write_files(studio.models_dir / "zzz", FILES)
    assert studio.status(BASE_KEY).hints == ()
    deep = studio.models_dir / Path(*"abcdefgh")
    write_files(deep, FILES)
    assert studio.status(BASE_KEY).hints == ()


def test_a_pipe_among_the_files_is_never_opened(studio: Studio) -> None:
    folder = studio.models_dir / "strange"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "config.json")
    os.mkfifo(folder / "model.safetensors")
    assert studio.status(BASE_KEY).hints == ()


def test_every_code_has_words_for_people() -> None:
    for template in (*PROBLEM_TEMPLATES.values(), *HINT_TEMPLATES.values()):
        assert template.endswith(".")
