"""`speak --check`: the take is made, then Whisper says which words differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.engines.whisper.whisper_studio import KEY, whisper_studio

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio")
    whisper_studio(folder)
    return folder


@pytest.fixture(autouse=True)
def studio(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Whisper model that hears "hello world" in everything, to do with as a test likes."""
    shutil.copytree(root / "models", tmp_path / "models")
    monkeypatch.setenv("QWEN_TTS_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("TTS_STUDIO_CATALOG", str(root / "catalogue.json"))
    monkeypatch.setenv("TTS_STUDIO_DEVICE", "cpu")
    return tmp_path


def test_what_differs_is_printed(run: Run, tmp_path: Path) -> None:
    answer = run("speak", "Hello, big World!", "--out", tmp_path / "a.wav", "--check", "--language", "en")
    assert (answer.status, answer.err) == (0, "")
    said, check, marked = answer.out.splitlines()
    assert said.startswith(str(tmp_path / "a.wav"))
    assert check == "Check: 1 of 3 words differ (33.3 %). Heard: hello world"
    assert marked == "hello [-big-] world"


def test_a_perfect_take_needs_no_marks(run: Run, tmp_path: Path) -> None:
    answer = run("speak", "Hello world.", "--out", tmp_path / "a.mp3", "--check", "--language", "en")
    assert answer.out.splitlines()[1:] == ["Check: 0 of 2 words differ (0.0 %). Heard: hello world"]


def test_scripts_get_it_as_data(run: Run, tmp_path: Path) -> None:
    answer = run("speak", "hello there", "--out", tmp_path / "a.wav", "--check", "--json", "--language", "de")
    assert json.loads(answer.out)["check"] == {
        "unit": "word",
        "errors": 1,
        "length": 2,
        "rate": 0.5,
        "heard": "hello world",
        "language": "de",
    }


def test_without_a_model_nothing_is_spoken(run: Run, tmp_path: Path, studio: Path) -> None:
    shutil.rmtree(studio / "models")
    answer = run("speak", "Hello.", "--out", tmp_path / "a.wav", "--check")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.endswith("[transcriber_missing]\n")
    assert not (tmp_path / "a.wav").exists()


def test_a_take_that_cannot_be_checked_is_kept(run: Run, tmp_path: Path, studio: Path) -> None:
    """The model looks right from outside: same names, same sizes."""
    tokenizer = studio / "models" / KEY / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes().replace(b'"model"', b'"nodel"'))
    answer = run("speak", "Hello.", "--out", tmp_path / "a.wav", "--check")
    assert answer.status == 0
    assert answer.out.startswith(str(tmp_path / "a.wav"))
    assert answer.err.startswith("Not checked: ")
    assert answer.err.endswith("]\n")
    assert (tmp_path / "a.wav").exists()
