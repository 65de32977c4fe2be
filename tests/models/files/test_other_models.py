"""When a folder that differs from the catalogue is damaged, and when it is another model of the family."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.models.model_folders import (
    CODEC_BYTES,
    CUSTOM_KEY,
    MAIN_BYTES,
    PUBLISHED,
    Files,
    Studio,
    build_studio,
    by_code,
    catalogue_entry,
    config,
    noise,
    weights,
    write_files,
)
from tts_core.domain.events import CheckProgress
from tts_core.models.catalogue import ModelKind
from tts_core.models.files.findings import ModelState, Verification
from tts_core.models.files.hash_cache import ZERO_BLOCK_BYTES
from tts_core.models.status import ModelStatus

MAIN, CODEC = "model.safetensors", "speech_tokenizer/model.safetensors"
FILES = PUBLISHED[CUSTOM_KEY]
SAME_SIZE_MAIN = weights(noise(MAIN_BYTES, "trained further"))
SAME_SIZE_CODEC = weights(noise(CODEC_BYTES, "trained further"))
LARGER_MAIN = weights(noise(MAIN_BYTES + 4, "trained further"))
OTHER_CONFIG = config(ModelKind.CUSTOM_VOICE, spk_id={"me": 3000})


def assert_usable_but_unverified(status: ModelStatus, differing: str) -> None:
    assert (status.state, status.verification) == (ModelState.READY, Verification.UNVERIFIED)
    assert by_code(status.hints)["unverified_finetune"].params == {"files": differing}


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"config.json": OTHER_CONFIG}, "config.json"),
        ({MAIN: LARGER_MAIN}, MAIN),
        ({MAIN: LARGER_MAIN, "config.json": OTHER_CONFIG}, f"config.json, {MAIN}"),
        ({MAIN: LARGER_MAIN, "merges.txt": b"#version: 0.2\n"}, f"merges.txt, {MAIN}"),
        ({CODEC: weights(b"a smaller codec")}, CODEC),
    ],
)
def test_another_config_or_weights_of_another_size_make_another_model(
    studio: Studio, changes: Files, differing: str
) -> None:
    studio.install(CUSTOM_KEY, **changes)
    assert_usable_but_unverified(studio.status(CUSTOM_KEY), differing)
    assert_usable_but_unverified(studio.deep(CUSTOM_KEY), differing)


def test_another_model_needs_only_the_files_of_inference(studio: Studio) -> None:
    studio.install(
        CUSTOM_KEY,
        **{
            "config.json": OTHER_CONFIG,
            "generation_config.json": None,
            "speech_tokenizer/preprocessor_config.json": None,
        },
    )
    assert studio.status(CUSTOM_KEY).valid
    studio.install(CUSTOM_KEY, **{"config.json": OTHER_CONFIG})
    (studio.folder(CUSTOM_KEY) / "tokenizer_config.json").unlink()
    assert studio.status(CUSTOM_KEY).missing == ("tokenizer_config.json",)


def test_other_weights_of_the_same_size_and_an_own_config_stay_usable_after_a_deep_check(studio: Studio) -> None:
    studio.install(CUSTOM_KEY, **{"config.json": OTHER_CONFIG, MAIN: SAME_SIZE_MAIN})
    assert_usable_but_unverified(studio.status(CUSTOM_KEY), "config.json")
    assert_usable_but_unverified(studio.deep(CUSTOM_KEY), f"config.json, {MAIN}")
    assert_usable_but_unverified(studio.status(CUSTOM_KEY), f"config.json, {MAIN}")


def test_one_weights_file_with_another_hash_alone_is_damage(studio: Studio) -> None:
    studio.install(CUSTOM_KEY, **{MAIN: SAME_SIZE_MAIN})
    assert studio.status(CUSTOM_KEY).verification is Verification.UNCHECKED
    deep = studio.deep(CUSTOM_KEY)
    assert [(problem.file, problem.code) for problem in deep.problems] == [(MAIN, "hash_mismatch")]
    assert "--catalog" in deep.problems[0].message
    assert (deep.state, deep.verification) == (ModelState.ERROR, Verification.NONE)
    assert studio.status(CUSTOM_KEY).problems == deep.problems


def test_two_weights_files_with_other_hashes_make_another_model(studio: Studio) -> None:
    studio.install(CUSTOM_KEY, **{MAIN: SAME_SIZE_MAIN, CODEC: SAME_SIZE_CODEC})
    assert_usable_but_unverified(studio.deep(CUSTOM_KEY), f"{MAIN}, {CODEC}")


def test_weights_that_were_verified_here_before_are_damaged_instead(studio: Studio) -> None:
    studio.install(CUSTOM_KEY)
    assert studio.deep(CUSTOM_KEY).verification is Verification.VERIFIED
    write_files(studio.folder(CUSTOM_KEY), {MAIN: SAME_SIZE_MAIN, CODEC: SAME_SIZE_CODEC})
    problems = studio.deep(CUSTOM_KEY).problems
    assert {problem.file: problem.code for problem in problems} == {MAIN: "hash_mismatch", CODEC: "hash_mismatch"}


def test_weights_given_their_own_catalogue_entry_are_verified(tmp_path: Path) -> None:
    files = {**FILES, MAIN: SAME_SIZE_MAIN}
    studio = build_studio(tmp_path, {"mine": catalogue_entry(ModelKind.CUSTOM_VOICE, "Mine", files)})
    write_files(studio.folder("mine"), files)
    assert studio.deep("mine").verification is Verification.VERIFIED


def with_hole(size: int) -> bytes:
    return weights(noise(ZERO_BLOCK_BYTES, "before") + bytes(2 * ZERO_BLOCK_BYTES) + noise(size, "after"))


def large_studio(root: Path, *, with_hashes: bool) -> Studio:
    """Its main weights have room for a hole."""
    files = {**FILES, MAIN: weights(noise(3 * ZERO_BLOCK_BYTES + 100, "published"))}
    entry = catalogue_entry(ModelKind.CUSTOM_VOICE, "Large", files, with_hashes=with_hashes)
    studio = build_studio(root, {CUSTOM_KEY: entry})
    write_files(studio.folder(CUSTOM_KEY), files)
    return studio


@pytest.mark.parametrize("with_hashes", [True, False])
@pytest.mark.parametrize("rest", [100, 200])
def test_a_block_of_zeros_in_weights_is_damage_whatever_their_size(
    tmp_path: Path, with_hashes: bool, rest: int
) -> None:
    studio = large_studio(tmp_path, with_hashes=with_hashes)
    write_files(studio.folder(CUSTOM_KEY), {MAIN: with_hole(rest)})
    status = studio.deep(CUSTOM_KEY)
    assert [(problem.file, problem.code) for problem in status.problems] == [(MAIN, "zero_filled")]
    assert studio.status(CUSTOM_KEY).state is ModelState.ERROR


def test_a_block_of_zeros_that_was_published_is_no_damage(tmp_path: Path) -> None:
    files = {**FILES, MAIN: with_hole(100)}
    studio = build_studio(tmp_path, {CUSTOM_KEY: catalogue_entry(ModelKind.CUSTOM_VOICE, "Holes", files)})
    write_files(studio.folder(CUSTOM_KEY), files)
    assert studio.deep(CUSTOM_KEY).verification is Verification.VERIFIED


def test_a_catalogue_without_checksums_leaves_the_model_unverified(tmp_path: Path) -> None:
    studio = large_studio(tmp_path, with_hashes=False)
    assert studio.status(CUSTOM_KEY).verification is Verification.UNCHECKED
    status = studio.deep(CUSTOM_KEY)
    assert (status.state, status.verification) == (ModelState.READY, Verification.UNVERIFIED)
    assert "config.json" in str(by_code(status.hints)["no_checksums"].params["files"])
    assert studio.status(CUSTOM_KEY).verification is Verification.UNVERIFIED
    assert not [event for event in studio.check(CUSTOM_KEY) if isinstance(event, CheckProgress)]


def test_one_missing_checksum_is_enough_to_leave_it_unverified(tmp_path: Path) -> None:
    entry = catalogue_entry(ModelKind.CUSTOM_VOICE, "One", dict(FILES))
    rows = json.loads(json.dumps(entry["files"]))
    del rows["vocab.json"]["sha256"]
    studio = build_studio(tmp_path, {CUSTOM_KEY: {**entry, "files": rows}})
    write_files(studio.folder(CUSTOM_KEY), dict(FILES))
    status = studio.deep(CUSTOM_KEY)
    assert status.verification is Verification.UNVERIFIED
    assert by_code(status.hints)["no_checksums"].params == {"files": "vocab.json"}
    write_files(studio.folder(CUSTOM_KEY), {MAIN: SAME_SIZE_MAIN})
    assert [problem.code for problem in studio.deep(CUSTOM_KEY).problems] == ["hash_mismatch"]
