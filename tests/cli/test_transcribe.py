"""`transcribe` in a process of its own: text, JSON, subtitles, and what it answers when it can't."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.whisper.scripted_whisper import write_whisper
from tests.engines.whisper.speech import write_speech
from tts_core.cli.status import Exit
from tts_core.platform.paths import PACKAGE_DIR

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Whisper model, its catalogue and a recording."""
    root = tmp_path_factory.mktemp("studio")
    folder = write_whisper(root / "models" / "mine")
    files = {path.name: {"size": path.stat().st_size} for path in folder.iterdir()}
    (root / "catalogue.json").write_text(json.dumps({"mine": {"kind": "whisper", "local": "mine", "files": files}}))
    write_speech(root / "me.wav", 5)
    return root


@pytest.fixture
def run(studio: Path, tmp_path: Path) -> Run:
    environment = {
        **os.environ,
        "TTS_STUDIO_DATA_DIR": str(tmp_path / "data"),
        "QWEN_TTS_MODELS_DIR": str(studio / "models"),
        "TTS_STUDIO_CATALOG": str(studio / "catalogue.json"),
        "TTS_STUDIO_DEVICE": "cpu",
        "PYTHONIOENCODING": "utf-8",
        "OMP_NUM_THREADS": "1",
    }

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tts_core", "transcribe", *map(str, arguments)]
        return subprocess.run(
            command, env=environment, cwd=PACKAGE_DIR.parent, capture_output=True, encoding="utf-8", check=False
        )

    return run


def test_it_prints_the_text_and_nothing_else(run: Run, studio: Path) -> None:
    done = run(studio / "me.wav")
    assert (done.returncode, done.stdout, done.stderr) == (Exit.DONE, "hello world\n", "")


def test_it_prints_json_in_the_language_that_is_asked_for(run: Run, studio: Path) -> None:
    done = run(studio / "me.wav", "--json", "--language", "German", "--model", "mine")
    found = json.loads(done.stdout)
    assert (found["language"], found["text"]) == ("de", "hello world")
    assert found["segments"][1] == {"start_s": 2.0, "end_s": 4.0, "text": "world"}


def test_it_prints_subtitles(run: Run, studio: Path) -> None:
    assert run(studio / "me.wav", "--srt").stdout == (
        "1\n00:00:00,000 --> 00:00:02,000\nhello\n\n2\n00:00:02,000 --> 00:00:04,000\nworld\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["me.wav", "--model", "whisper_base"], "model_not_ready"),
        (["me.wav", "--model", "custom_0_6b"], "unknown_model_key"),
        (["me.wav", "--language", "Klingon"], "unknown_spoken_language"),
        (["catalogue.json"], "audio_unreadable"),
        (["gone.wav"], "audio_unreadable"),
    ],
)
def test_what_it_cannot_do_is_one_line(run: Run, studio: Path, arguments: list[str], code: str) -> None:
    done = run(studio / arguments[0], *arguments[1:])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (Exit.ERROR, "", 1)
    assert done.stderr.endswith(f"[{code}]\n")


def test_without_a_model_it_says_which_to_get(run: Run, studio: Path, tmp_path: Path) -> None:
    done = run(studio / "me.wav", "--models-dir", tmp_path / "none")
    assert done.returncode == Exit.ERROR
    assert "Download Whisper small (486 MB)" in done.stderr
