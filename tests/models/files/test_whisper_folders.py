"""Folders of Whisper models: their states, another size in the wrong folder, somebody's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.models.model_folders import (
    Files,
    Studio,
    build_studio,
    by_code,
    catalogue_entry,
    noise,
    weights,
    write_files,
)
from tts_core.models.catalogue import WEIGHTS_FILE, ModelKind
from tts_core.models.files.config import parse_config
from tts_core.models.files.findings import ModelState, Verification

KEY, LARGER = "whisper_tiny", "whisper_base"
SHAPES = {KEY: (384, 4), LARGER: (512, 6)}


def whisper_config(width: object, layers: object, **other: object) -> bytes:
    return json.dumps({"model_type": "whisper", "d_model": width, "decoder_layers": layers, **other}).encode()


def whisper_model(key: str) -> Files:
    return {
        "config.json": whisper_config(*SHAPES[key]),
        "generation_config.json": b'{"no_timestamps_token_id": 1}',
        "preprocessor_config.json": b'{"feature_size": 80}',
        "tokenizer.json": b'{"version": "1.0"}',
        WEIGHTS_FILE: weights(noise(400_000 if key == KEY else 500_000, key)),
    }


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    names = {KEY: "tiny", LARGER: "base"}
    return build_studio(
        tmp_path,
        {
            key: {**catalogue_entry(ModelKind.WHISPER, f"whisper-{size}", whisper_model(key)), "size": size}
            for key, size in names.items()
        },
    )


@pytest.mark.parametrize(
    ("width", "layers", "size"),
    [
        (384, 4, "tiny"),
        (512, 6, "base"),
        (768, 12, "small"),
        (1024, 24, "medium"),
        (1280, 32, "large"),
        (1280, 4, "large-v3-turbo"),
        (768, 2, ""),
        ("wide", [], ""),
        (None, None, ""),
    ],
)
def test_a_whisper_config_tells_its_size(width: object, layers: object, size: str) -> None:
    found = parse_config(whisper_config(width, layers, tts_model_size="0b6", tts_model_type="base"))
    assert found is not None
    assert (found.kind, found.size, found.speakers) == (ModelKind.WHISPER, size, ())


def test_no_speaking_model_passes_for_whisper() -> None:
    found = parse_config(b'{"model_type": "qwen3_tts", "tts_model_type": "whisper"}')
    assert found is not None
    assert found.kind is None


def test_a_whole_model_is_ready_and_verified_by_a_deep_check(studio: Studio) -> None:
    assert studio.status(KEY).state is ModelState.NOT_DOWNLOADED
    write_files(studio.folder(KEY), whisper_model(KEY))
    assert (studio.status(KEY).state, studio.status(KEY).verification) == (ModelState.READY, Verification.UNCHECKED)
    assert studio.deep(KEY).verification is Verification.VERIFIED
    assert studio.manager().capabilities(KEY).languages == ()


@pytest.mark.parametrize("name", whisper_model(KEY))
def test_no_file_may_be_missing(studio: Studio, name: str) -> None:
    write_files(studio.folder(KEY), whisper_model(KEY))
    (studio.folder(KEY) / name).unlink()
    status = studio.status(KEY)
    assert (status.state, status.missing) == (ModelState.INCOMPLETE, (name,))


def test_another_size_in_its_folder_is_told(studio: Studio) -> None:
    write_files(studio.folder(KEY), whisper_model(LARGER))
    status = studio.status(KEY)
    problem = by_code(status.problems)["wrong_model_kind"]
    assert status.state is ModelState.ERROR
    assert problem.params == {"found": "base whisper", "expected": "tiny whisper"}


def test_a_model_under_another_name_is_recognised_by_its_size(studio: Studio) -> None:
    write_files(studio.models_dir / "downloaded", whisper_model(LARGER))
    hint = by_code(studio.status(LARGER).hints)["other_folder_name"]
    assert hint.params["found"] == str(studio.models_dir / "downloaded")
    assert studio.status(KEY).hints == ()


def test_somebody_s_own_weights_are_usable_and_unverified(studio: Studio) -> None:
    own = {
        "config.json": whisper_config(384, 4, finetuned=True),
        WEIGHTS_FILE: weights(noise(400_000, "mine"), note="mine"),
    }
    write_files(studio.folder(KEY), whisper_model(KEY) | own)
    status = studio.deep(KEY)
    assert (status.state, status.verification) == (ModelState.READY, Verification.UNVERIFIED)
