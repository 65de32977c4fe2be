"""Every problem code, met in a real folder."""

from __future__ import annotations

import hashlib
import json
import os
import struct
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
    build_studio,
    catalogue_entry,
    config,
    noise,
    weights,
    write_files,
)
from tts_core.models.catalogue import ModelKind
from tts_core.models.files.findings import FileProblem, ModelState, Verification

MAIN, CODEC = "model.safetensors", "speech_tokenizer/model.safetensors"
FILES = PUBLISHED[BASE_KEY]


def only_problem(studio: Studio, key: str = BASE_KEY) -> FileProblem:
    status = studio.status(key)
    assert len(status.problems) == 1, status.problems
    assert status.reason is not None
    assert status.problems[0].message in status.reason
    assert not status.valid
    assert status.verification is Verification.NONE
    return status.problems[0]


@pytest.mark.parametrize("key", PUBLISHED)
def test_a_whole_folder_is_ready_and_unchecked(studio: Studio, key: str) -> None:
    studio.install(key)
    status = studio.status(key)
    assert (status.state, status.verification) == (ModelState.READY, Verification.UNCHECKED)
    assert (status.problems, status.missing, status.hints, status.reason) == ((), (), (), None)
    assert status.exists
    assert status.valid
    assert status.bytes_done == status.bytes_total == sum(map(len, PUBLISHED[key].values()))


def test_nothing_there_is_not_downloaded(studio: Studio) -> None:
    status = studio.status(BASE_KEY)
    assert (status.state, status.exists, status.bytes_done, status.reason) == (
        ModelState.NOT_DOWNLOADED,
        False,
        0,
        None,
    )
    write_files(studio.folder(BASE_KEY), {"notes.txt": b"mine"})
    status = studio.status(BASE_KEY)
    assert (status.state, status.exists) == (ModelState.NOT_DOWNLOADED, True)
    assert set(status.missing) == set(FILES)


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_missed_by_its_name_below_sub_folders_too(studio: Studio, path: str) -> None:
    studio.install(BASE_KEY, **{path: None})
    status = studio.status(BASE_KEY)
    assert (status.state, status.missing, status.problems) == (ModelState.INCOMPLETE, (path,), ())
    assert status.reason == f"Missing: {path}."
    assert status.bytes_done == status.bytes_total - len(FILES[path])


def test_weights_that_end_early_are_truncated_by_their_own_header(studio: Studio) -> None:
    studio.install(BASE_KEY, **{MAIN: FILES[MAIN][:-1]})
    problem = only_problem(studio)
    assert (problem.code, problem.params) == (
        "truncated",
        {"size": len(FILES[MAIN]) - 1, "expected": len(FILES[MAIN])},
    )
    status = studio.status(BASE_KEY)
    assert (status.state, status.bytes_done) == (ModelState.INCOMPLETE, status.bytes_total - 1)


@pytest.mark.parametrize(("path", "kept"), [(MAIN, 40), ("config.json", 30), ("merges.txt", 20)])
def test_other_files_that_end_early_are_truncated_too(studio: Studio, path: str, kept: int) -> None:
    studio.install(BASE_KEY, **{path: FILES[path][:kept]})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (path, "truncated")
    assert problem.params == {"size": kept, "expected": len(FILES[path])}
    assert studio.status(BASE_KEY).state is ModelState.INCOMPLETE


@pytest.mark.parametrize("path", [MAIN, "vocab.json", "merges.txt"])
def test_an_empty_file_is_incomplete(studio: Studio, path: str) -> None:
    studio.install(BASE_KEY, **{path: b""})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (path, "empty_file")
    assert studio.status(BASE_KEY).state is ModelState.INCOMPLETE


@pytest.mark.parametrize("is_published", [True, False])
def test_a_git_lfs_pointer_says_what_it_stands_for(studio: Studio, is_published: bool) -> None:
    data = FILES[MAIN] if is_published else b"other"
    sha256 = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n"
    studio.install(BASE_KEY, **{MAIN: pointer.encode()})
    problem = only_problem(studio)
    assert problem.code == "lfs_pointer"
    assert problem.params == {"pointed_sha256": sha256, "pointed_size": len(data), "is_published": is_published}
    status = studio.status(BASE_KEY)
    assert (status.state, status.bytes_done) == (ModelState.INCOMPLETE, status.bytes_total - len(FILES[MAIN]))


@pytest.mark.parametrize("path", [MAIN, "config.json", "vocab.json", "merges.txt"])
@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html>\n<html>", b"\xef\xbb\xbf\r\n<HTML><body>Sign in", b"<?xml version='1'?>"]
)
def test_a_web_page_saved_as_a_file_is_an_error(studio: Studio, path: str, page: bytes) -> None:
    studio.install(BASE_KEY, **{path: page})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (path, "html_page")
    assert studio.status(BASE_KEY).state is ModelState.ERROR


@pytest.mark.parametrize("path", [MAIN, "config.json", "vocab.json", "merges.txt"])
def test_a_servers_json_answer_saved_as_a_file_is_an_error(studio: Studio, path: str) -> None:
    studio.install(BASE_KEY, **{path: b'{"error": "Repository not found"}'})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (path, "json_body")
    assert studio.status(BASE_KEY).state is ModelState.ERROR


def test_weights_without_a_header_are_an_error(studio: Studio) -> None:
    studio.install(BASE_KEY, **{MAIN: noise(len(FILES[MAIN]), "no header")})
    assert only_problem(studio).code == "bad_safetensors_header"
    broken = bytearray(FILES[MAIN])
    broken[20] = 0
    studio.install(BASE_KEY, **{MAIN: bytes(broken)})
    problem = only_problem(studio)
    assert (problem.code, problem.params) == ("bad_safetensors_header", {"reason": "broken header"})
    assert studio.status(BASE_KEY).state is ModelState.ERROR


def test_weights_with_something_behind_them_have_a_wrong_size(studio: Studio) -> None:
    studio.install(BASE_KEY, **{MAIN: FILES[MAIN] + b"\n"})
    problem = only_problem(studio)
    assert (problem.code, problem.params["expected"]) == ("wrong_size", len(FILES[MAIN]))
    assert studio.status(BASE_KEY).state is ModelState.ERROR


@pytest.mark.parametrize(
    ("path", "data"),
    [("vocab.json", b"[1]" + b" " * 60), ("vocab.json", b"\xff" * 60), ("config.json", b'{"a": 1,}' + b" " * 200)],
)
def test_a_json_file_that_does_not_parse_is_an_error(studio: Studio, path: str, data: bytes) -> None:
    studio.install(BASE_KEY, **{path: data})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (path, "bad_json")


def test_a_large_vocabulary_is_judged_by_its_ends(tmp_path: Path) -> None:
    files = {**FILES, "vocab.json": json.dumps({str(number): number for number in range(40_000)}).encode()}
    studio = build_studio(tmp_path, {BASE_KEY: catalogue_entry(ModelKind.BASE, "Big", files)})
    write_files(studio.folder(BASE_KEY), {**files, "vocab.json": files["vocab.json"][:-1]})
    assert only_problem(studio).code == "truncated"
    write_files(studio.folder(BASE_KEY), {"vocab.json": files["vocab.json"][:-1] + b" "})
    assert only_problem(studio).code == "bad_json"
    write_files(studio.folder(BASE_KEY), {"vocab.json": files["vocab.json"].replace(b"39999}", b"39998}")})
    assert studio.status(BASE_KEY).verification is Verification.UNCHECKED
    problem = studio.deep(BASE_KEY).problems[0]
    assert (problem.file, problem.code) == ("vocab.json", "hash_mismatch")


@pytest.mark.parametrize("path", ["merges.txt", "vocab.json", "generation_config.json", "speech_tokenizer/config.json"])
def test_another_size_that_no_other_weights_explain_is_an_error(studio: Studio, path: str) -> None:
    studio.install(BASE_KEY, **{path: FILES[path] + b"\n"})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (path, "wrong_size")
    assert problem.params == {"size": len(FILES[path]) + 1, "expected": len(FILES[path])}
    assert studio.status(BASE_KEY).state is ModelState.ERROR


def test_small_files_are_hashed_at_every_look(studio: Studio) -> None:
    studio.install(BASE_KEY, **{"merges.txt": FILES["merges.txt"].replace(b"a b", b"b a", 1)})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == ("merges.txt", "hash_mismatch")


@pytest.mark.parametrize("path", [MAIN, "config.json", "merges.txt"])
def test_a_file_that_starts_with_zeros_was_reserved_but_not_filled(studio: Studio, path: str) -> None:
    studio.install(BASE_KEY, **{path: bytes(len(FILES[path]))})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (path, "zero_filled")
    assert studio.status(BASE_KEY).state is ModelState.ERROR


def test_a_folder_a_pipe_and_a_link_to_itself_are_unreadable(studio: Studio) -> None:
    folder = studio.install(BASE_KEY, **{MAIN: None, "vocab.json": None, "merges.txt": None})
    (folder / MAIN).mkdir()
    os.mkfifo(folder / "vocab.json")
    (folder / "merges.txt").symlink_to("merges.txt")
    status = studio.deep(BASE_KEY)
    assert {problem.file: problem.code for problem in status.problems} == dict.fromkeys(
        (MAIN, "vocab.json", "merges.txt"), "unreadable"
    )
    assert status.state is ModelState.ERROR


def test_a_link_to_nothing_is_a_missing_file(studio: Studio) -> None:
    folder = studio.install(BASE_KEY, **{MAIN: None})
    (folder / MAIN).symlink_to(folder / "blobs" / "gone")
    assert studio.status(BASE_KEY).missing == (MAIN,)


def test_a_file_in_the_place_of_the_folder_is_not_downloaded(studio: Studio) -> None:
    studio.models_dir.mkdir()
    studio.folder(BASE_KEY).write_bytes(b"")
    status = studio.status(BASE_KEY)
    assert (status.state, status.exists) == (ModelState.NOT_DOWNLOADED, False)


@pytest.mark.parametrize(
    ("home", "guest", "found", "expected"),
    [
        (CUSTOM_KEY, BASE_KEY, "0.6B base", "0.6B custom_voice"),
        (CUSTOM_KEY, LARGE_KEY, "1.7B custom_voice", "0.6B custom_voice"),
        (CUSTOM_KEY, TOKENIZER_KEY, "tokenizer", "0.6B custom_voice"),
        (TOKENIZER_KEY, BASE_KEY, "0.6B base", "tokenizer"),
    ],
)
def test_a_model_of_another_kind_in_the_folder_is_named(
    studio: Studio, home: str, guest: str, found: str, expected: str
) -> None:
    write_files(studio.folder(home), dict(PUBLISHED[guest]))
    status = studio.status(home)
    assert [problem.code for problem in status.problems] == ["wrong_model_kind"]
    assert status.problems[0].params == {"found": found, "expected": expected}
    assert status.state is ModelState.ERROR


def test_a_config_of_another_architecture_is_named(studio: Studio) -> None:
    studio.install(BASE_KEY, **{"config.json": b'{"model_type": "llama"}'})
    assert only_problem(studio).params["found"] == "llama"


def test_a_speech_tokenizer_of_another_kind_is_named(studio: Studio) -> None:
    studio.install(BASE_KEY, **{"speech_tokenizer/config.json": b'{"model_type": "qwen3_tts_tokenizer_25hz"}'})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == ("speech_tokenizer/config.json", "wrong_model_kind")


def test_a_sound_file_may_start_with_any_byte(tmp_path: Path) -> None:
    """A header of 123 bytes starts with "{", one of 60 with "<"."""
    for length, first in ((123, b"{"), (60, b"<")):
        body = b'{"t": {"data_offsets": [0, 8]}}'.ljust(length)
        data = struct.pack("<Q", length) + body + bytes(8)
        assert data.startswith(first)
        root = tmp_path / str(length)
        root.mkdir()
        files = {**TOKENIZER, MAIN: data}
        entry = catalogue_entry(ModelKind.TOKENIZER, "T", files, with_hashes=False)
        studio = build_studio(root, {TOKENIZER_KEY: entry})
        write_files(studio.folder(TOKENIZER_KEY), files)
        assert studio.status(TOKENIZER_KEY).valid


def test_what_is_published_is_never_a_problem_whatever_it_looks_like(tmp_path: Path) -> None:
    files = {**FILES, "generation_config.json": b"<html>", "merges.txt": bytes(100)}
    studio = build_studio(tmp_path, {BASE_KEY: catalogue_entry(ModelKind.BASE, "Odd", files)})
    write_files(studio.folder(BASE_KEY), files)
    assert studio.deep(BASE_KEY).verification is Verification.VERIFIED


def test_a_size_in_a_folders_name_never_overrules_the_published_config(tmp_path: Path) -> None:
    files = PUBLISHED[CUSTOM_KEY]
    studio = build_studio(tmp_path, {"mine": catalogue_entry(ModelKind.CUSTOM_VOICE, "My-Voice-1.7B", files)})
    write_files(studio.folder("mine"), files)
    assert studio.catalogue.entry("mine").size == "1.7B"
    assert studio.deep("mine").verification is Verification.VERIFIED
    assert studio.manager().files_to_fetch("mine") == ()
    assert not studio.manager().capabilities("mine").supports_instruct, "the config says 0.6B, and so does the engine"


def test_the_weights_of_the_speech_tokenizer_in_the_place_of_the_models_are_no_other_model(studio: Studio) -> None:
    studio.install(BASE_KEY, **{MAIN: FILES[CODEC]})
    problem = only_problem(studio)
    assert (problem.file, problem.code) == (MAIN, "wrong_size")


def test_an_unfinished_model_of_other_weights_is_still_incomplete(studio: Studio) -> None:
    other = weights(noise(300_000, "other"))
    studio.install(BASE_KEY, **{"config.json": config(ModelKind.BASE, speed=1), MAIN: other[:-10]})
    status = studio.status(BASE_KEY)
    assert [problem.code for problem in status.problems] == ["truncated"]
    assert status.state is ModelState.INCOMPLETE
