"""Folders of Whisper models: their states, another size in the wrong folder, a person's own, an older form."""

from __future__ import annotations

import json
import struct
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
from tts_core.models.catalogue import ModelKind
from tts_core.models.files.config import parse_config
from tts_core.models.files.findings import ModelState, NextStep, Verification
from tts_core.models.files.hints import older_form

KEY, LARGER = "whisper_tiny", "whisper_base"
HEADS = {KEY: [[2, 2], [3, 0], [3, 2], [3, 3], [3, 4], [3, 5]], LARGER: [[3, 1], *([[4, head] for head in range(7)])]}
SHAPES = {KEY: (384, 4), LARGER: (512, 6)}
MODEL, CONFIG = "model.bin", "config.json"


def ctranslate2_config(heads: object, **other: object) -> bytes:
    ids = {"suppress_ids": [1, 2], "suppress_ids_begin": [220], "lang_ids": [50259]}
    return json.dumps({"alignment_heads": heads, **ids, **other}).encode()


def transformers_config(width: object, layers: object, **other: object) -> bytes:
    return json.dumps({"model_type": "whisper", "d_model": width, "decoder_layers": layers, **other}).encode()


def text(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def ctranslate2_weights(data: bytes) -> bytes:
    """One variable of bytes, and another name of it."""
    head = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, 1)
    variable = text("encoder/conv1/weight") + struct.pack("<BIBI", 1, len(data), 1, len(data))
    return head + variable + data + struct.pack("<I", 1) + text("alias") + text("encoder/conv1/weight")


def whisper_model(key: str) -> Files:
    return {
        CONFIG: ctranslate2_config(HEADS[key]),
        "tokenizer.json": b'{"version": "1.0"}',
        "vocabulary.txt": b"!\n#\n",
        MODEL: ctranslate2_weights(noise(400_000 if key == KEY else 500_000, key)),
    }


def older_model(key: str) -> Files:
    return {CONFIG: transformers_config(*SHAPES[key]), "model.safetensors": weights(noise(300_000, key))}


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    names = {KEY: "tiny", LARGER: "base"}
    return build_studio(
        tmp_path,
        {
            key: {
                **catalogue_entry(ModelKind.WHISPER, f"faster-whisper-{size}", whisper_model(key)),
                "size": size,
            }
            for key, size in names.items()
        },
    )


@pytest.mark.parametrize(
    ("heads", "size"),
    [
        (HEADS[KEY], "tiny"),
        (HEADS[LARGER], "base"),
        ([[2, 4]] * 6, "large-v3-turbo"),
        ([[0, 0]], ""),
        ([[]], ""),
        (1, ""),
    ],
)
def test_a_config_shows_its_size_by_the_heads_that_time_words(heads: object, size: str) -> None:
    found = parse_config(ctranslate2_config(heads, model_type="base"))
    assert found is not None
    assert (found.kind, found.size, found.speakers) == (ModelKind.WHISPER, size, ())


@pytest.mark.parametrize(
    ("width", "layers", "size"),
    [
        (384, 4, "tiny"),
        (768, 12, "small"),
        (1024, 24, "medium"),
        (1280, 32, "large"),
        (1280, 4, "large-v3-turbo"),
        (768, 2, ""),
        ("wide", [], ""),
    ],
)
def test_the_older_form_is_no_model_but_can_become_one(width: object, layers: object, size: str) -> None:
    found = parse_config(transformers_config(width, layers, tts_model_size="0b6", tts_model_type="base"))
    assert found is not None
    assert (found.kind, found.converts_to, found.size) == (None, ModelKind.WHISPER, size)


def test_no_speaking_model_passes_for_whisper() -> None:
    found = parse_config(b'{"model_type": "qwen3_tts", "tts_model_type": "whisper"}')
    assert found is not None
    assert (found.kind, found.converts_to) == (None, None)


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


def test_either_form_of_the_vocabulary_does(studio: Studio) -> None:
    write_files(studio.folder(KEY), whisper_model(KEY))
    (studio.folder(KEY) / "vocabulary.txt").unlink()
    (studio.folder(KEY) / "vocabulary.json").write_bytes(json.dumps(["!"] * 100_000).encode())
    assert studio.deep(KEY).state is ModelState.READY


@pytest.mark.parametrize(
    ("change", "code", "state"),
    [
        (lambda data: data[:-100], "truncated", ModelState.INCOMPLETE),
        (lambda data: data[:30], "truncated", ModelState.INCOMPLETE),
        (lambda data: data + b"more", "wrong_size", ModelState.ERROR),
        (lambda data: b"\x09" + data[1:], "bad_weights_header", ModelState.ERROR),
        (lambda data: data[:6] + b"~" * (len(data) - 6), "bad_weights_header", ModelState.ERROR),
        (lambda data: b"<html>" + data, "html_page", ModelState.ERROR),
    ],
)
def test_damage_shows_without_reading_the_file_through(
    studio: Studio, change: object, code: str, state: ModelState
) -> None:
    assert callable(change)
    model = whisper_model(KEY)
    write_files(studio.folder(KEY), {**model, MODEL: change(model[MODEL])})
    status = studio.status(KEY)
    assert ([problem.code for problem in status.problems], status.state) == ([code], state)


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


def test_an_older_form_is_recognised_and_said_to_need_no_download(studio: Studio) -> None:
    write_files(studio.models_dir / "whisper-base", older_model(LARGER))
    status = studio.status(LARGER)
    assert (status.state, status.next_step) == (ModelState.NOT_DOWNLOADED, NextStep.CONVERT)
    assert older_form(status.hints) == studio.models_dir / "whisper-base"
    assert older_form(studio.status(KEY).hints) is None
    write_files(studio.folder(LARGER), whisper_model(LARGER))
    assert (studio.status(LARGER).hints, studio.status(LARGER).next_step) == ((), NextStep.NOTHING)


def test_somebody_s_own_weights_are_usable_and_unverified(studio: Studio) -> None:
    own = {
        CONFIG: ctranslate2_config(HEADS[KEY], finetuned=True),
        MODEL: ctranslate2_weights(noise(400_000, "mine")),
    }
    write_files(studio.folder(KEY), whisper_model(KEY) | own)
    status = studio.deep(KEY)
    assert (status.state, status.verification) == (ModelState.READY, Verification.UNVERIFIED)
