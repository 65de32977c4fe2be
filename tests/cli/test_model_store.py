"""`models delete | move | export | import | updates | clean` on real folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.models.model_folders import CUSTOM_KEY, PUBLISHED, Files, build_studio, write_files
from tts_core.cli.status import Exit
from tts_core.models.catalogue import load_catalogue


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small catalogue; returns the folder of one of its models."""
    (tmp_path / "catalogue").mkdir()
    build_studio(tmp_path / "catalogue")
    file = tmp_path / "catalogue" / "catalogue.json"
    monkeypatch.setenv("TTS_STUDIO_CATALOG", str(file))
    return tmp_path / "data" / "models" / "Qwen" / load_catalogue(file).entry(CUSTOM_KEY).local


def test_deleting_asks_first(run: Run, known: Path) -> None:
    write_files(known, PUBLISHED[CUSTOM_KEY] | {"notes.txt": b"mine"})
    asked = run("models", "delete", CUSTOM_KEY)
    assert (asked.status, "Would free" in asked.out, "--yes" in asked.err) == (Exit.NO, True, True)
    assert (known / "config.json").exists()
    done = run("models", "delete", CUSTOM_KEY, "--yes")
    assert (done.status, "Freed" in done.out, "notes.txt" in done.out) == (Exit.DONE, True, True)
    assert [path.name for path in known.rglob("*")] == ["notes.txt"]
    again = run("models", "delete", CUSTOM_KEY, "--yes")
    assert (again.status, "[model_not_there]" in again.err) == (Exit.ERROR, True)


def test_the_folder_moves_and_stays_chosen(run: Run, known: Path, tmp_path: Path) -> None:
    write_files(known, PUBLISHED[CUSTOM_KEY])
    target = tmp_path / "new"
    assert run("models", "move", target).status == Exit.DONE
    listed = {model["key"]: model for model in json.loads(run("models", "list", "--json").out)}
    assert (listed[CUSTOM_KEY]["status"], listed[CUSTOM_KEY]["path"]) == ("ready", str(target / known.name))
    moved = run("models", "move", tmp_path / "third", "--models-dir", target)
    assert (moved.status, "QWEN_TTS_MODELS_DIR" in moved.err) == (Exit.DONE, True)


def test_an_export_is_imported(run: Run, known: Path, tmp_path: Path) -> None:
    write_files(known, PUBLISHED[CUSTOM_KEY])
    assert run("models", "export", CUSTOM_KEY, tmp_path / "stick").status == Exit.DONE
    elsewhere = ("--models-dir", tmp_path / "other")
    assert run("models", "import", CUSTOM_KEY, tmp_path / "stick", *elsewhere).status == Exit.DONE
    again = run("models", "import", CUSTOM_KEY, tmp_path / "stick", *elsewhere)
    assert (again.status, "complete already" in again.out) == (Exit.DONE, True)
    taken: Files = {path: (tmp_path / "other" / known.name / path).read_bytes() for path in PUBLISHED[CUSTOM_KEY]}
    assert taken == PUBLISHED[CUSTOM_KEY]


def test_what_an_import_lacks_is_told(run: Run, known: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "stick", {path: PUBLISHED[CUSTOM_KEY][path] for path in ("config.json", "vocab.json")})
    answer = run("models", "import", CUSTOM_KEY, tmp_path / "stick")
    assert (answer.status, "Taken over: config.json" in answer.out) == (Exit.NO, True)
    assert "model.safetensors" in answer.err


def test_leftovers_are_listed_and_removed_with_yes(run: Run, known: Path) -> None:
    write_files(known, PUBLISHED[CUSTOM_KEY])
    assert "Nothing is left over." in run("models", "clean").out
    aside = known / "model.safetensors.wrong-1"
    aside.write_bytes(b"wrong")
    assert str(aside) in run("models", "clean").out
    assert aside.exists()
    assert "Removed 1 files" in run("models", "clean", "--yes").out
    assert not aside.exists()


def test_updates_without_network_say_so(run: Run, known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    answer = run("models", "updates")
    assert (answer.status, "[OFFLINE]" in answer.err) == (Exit.ERROR, True)
    for name in ("HF_ENDPOINT", "HF_MIRROR_ENDPOINT", "MODELSCOPE_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    answer = run("models", "updates", CUSTOM_KEY, "--json")
    told = json.loads(answer.out)
    assert (answer.status, told["status"], len(told["sources"])) == (Exit.NO, "unknown", 3)
    assert all(source["code"] and source["message"] for source in told["sources"])
    assert run("models", "updates", CUSTOM_KEY).status == Exit.NO
