"""`models` and `voices` tell what is there and what to do next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tts_core.models.catalogue import load_catalogue

KEYS = load_catalogue(None).keys()


def test_every_model_of_the_catalogue_is_listed(run: Run) -> None:
    answer = run("models", "list")
    assert answer.status == 0
    assert all(key in answer.out for key in KEYS)
    assert f"tts_core download {KEYS[0]}" in answer.out
    listed = json.loads(run("models", "list", "--json").out)
    assert [(model["key"], model["status"]) for model in listed] == [(key, "not_downloaded") for key in KEYS]


@pytest.mark.parametrize("how", [(), ("--deep",)])
def test_a_model_that_is_not_there_is_not_valid(run: Run, how: tuple[str, ...]) -> None:
    answer = run("models", "validate", "base_0_6b", "--json", *how)
    (status,) = json.loads(answer.out)
    assert (answer.status, status["valid"], status["exists"]) == (1, False, False)


def test_a_broken_file_is_named_with_what_to_do(run: Run) -> None:
    (status,) = json.loads(run("models", "validate", "tokenizer_12hz", "--json").out)
    folder = run("models", "commands", "tokenizer_12hz").out.splitlines()[-1].strip()
    assert folder == status["path"]
    Path(folder).mkdir(parents=True)
    Path(folder, "model.safetensors").write_text("<!DOCTYPE html><html>Log in</html>", encoding="utf-8")
    answer = run("models", "validate", "tokenizer_12hz")
    assert answer.status == 1
    assert "model.safetensors is a web page" in answer.out
    assert "config.json is missing." in answer.out


def test_all_models_are_checked_at_once(run: Run) -> None:
    answer = run("models", "validate", "all", "--json")
    assert (answer.status, [status["key"] for status in json.loads(answer.out)]) == (1, list(KEYS))


def test_a_model_nobody_knows_is_an_error(run: Run) -> None:
    for action in ("validate", "commands"):
        answer = run("models", action, "nope")
        assert (answer.status, "[unknown_model_key]" in answer.err) == (2, True)


def test_a_catalogue_that_cannot_be_used_is_an_error(run: Run) -> None:
    answer = run("models", "list", "--catalog", "/no/such/file.json")
    assert (answer.status, "[catalogue_invalid]" in answer.err) == (2, True)


def test_the_commands_of_both_sites_end_in_the_models_folder(run: Run) -> None:
    out = run("models", "commands", "custom_0_6b").out
    assert "hf download Qwen/" in out
    assert "modelscope download" in out


def test_voices_are_listed_best_first(run: Run) -> None:
    listed = json.loads(run("voices", "--json").out)
    assert listed[0]["engine"] == "builtin"
    assert [line.split()[0] for line in run("voices").out.splitlines()] == [voice["id"] for voice in listed]
