"""`read`: a file becomes a recording, and the same command goes on; `projects render` and `export` do it in steps."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.cli.conftest import Run
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import EngineFailed
from tts_core.domain.events import EngineEvent
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.espeak.engine import EspeakEngine

TEXT = """Chapter 1

The keeper lit the lamp. It was cold.

Nobody came that day, or the next.

Chapter 2

He wrote a letter."""
Speak = Callable[[EspeakEngine, SynthesisRequest, str, str, CancelCheck], Iterator[EngineEvent]]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    file = tmp_path / "book.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the engine is asked for. "STOP" in its place interrupts the command, "BREAK" breaks the engine."""
    texts: list[str] = []
    before: Speak = EspeakEngine._speak

    def speak(
        self: EspeakEngine, request: SynthesisRequest, code: str, variant: str, cancelled: CancelCheck
    ) -> Iterator[EngineEvent]:
        if texts[:1] == ["STOP"]:
            texts.clear()
            os.kill(os.getpid(), signal.SIGINT)
        if texts[:1] == ["BREAK"] and "cold" in request.text:
            raise EngineFailed(engine="builtin", reason="it was told to break")
        texts.append(request.text)
        return before(self, request, code, variant, cancelled)

    monkeypatch.setattr(EspeakEngine, "_speak", speak)
    return texts


def read(run: Run, book: Path, *more: str) -> Any:
    out = str(book.with_suffix(".wav"))
    return run("read", book, "--out", out, "--voice", "builtin/aria", "--split", "sentences", "--json", *more)


def test_a_file_is_read_and_nothing_is_made_twice(run: Run, book: Path, spoken: list[str]) -> None:
    answer = read(run, book)
    assert answer.status == 0, answer.err
    facts = json.loads(answer.out)
    assert (facts["segments"], facts["flagged"], facts["failed"]) == (4, 0, 0)
    first = book.with_suffix(".wav").read_bytes()
    assert soundfile.info(book.with_suffix(".wav")).duration == pytest.approx(facts["duration_seconds"], abs=0.01)
    assert len(spoken) == 4
    refused = read(run, book)
    assert (refused.status, "[out_exists]" in refused.err) == (2, True)
    assert read(run, book, "--force").status == 0
    assert len(spoken) == 4
    assert book.with_suffix(".wav").read_bytes() == first
    assert read(run, book, "--force", "--speed", "1.5").status == 0
    assert len(spoken) == 8  # another reading is another project


def test_ctrl_c_keeps_what_is_made_and_the_same_command_goes_on(run: Run, book: Path, spoken: list[str]) -> None:
    spoken.append("STOP")
    answer = read(run, book)
    assert (answer.status, "goes on" in answer.err) == (130, True)
    assert not book.with_suffix(".wav").exists()
    assert len(spoken) == 1
    assert read(run, book).status == 0
    assert len(spoken) == 4


def test_what_can_not_be_made_is_an_error_and_leaves_no_file_unless_asked_for(
    run: Run, book: Path, spoken: list[str]
) -> None:
    spoken.append("BREAK")
    answer = read(run, book)
    assert (answer.status, "1 segments can't be made" in answer.err) == (2, True)
    assert not book.with_suffix(".wav").exists()
    answer = read(run, book, "--missing", "skip")
    assert answer.status == 2
    assert json.loads(answer.out)["segments"] == 3
    spoken.clear()
    assert read(run, book, "--force").status == 0
    assert spoken == ["It was cold."]


def test_what_may_be_wrong_is_told(run: Run, book: Path, spoken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_core.studio.making.sound_check.SHORTEST", 5.0)
    answer = read(run, book)
    assert (answer.status, "4 segments may be wrong" in answer.err) == (1, True)
    assert json.loads(answer.out)["flagged"] == 4
    assert len(spoken) == 12


def test_a_project_is_made_and_joined_in_steps(run: Run, book: Path, spoken: list[str], tmp_path: Path) -> None:
    spoken.append("STOP")
    read(run, book)
    project = run("projects", "list").out.split()[0]
    assert run("projects", "render", project, "--chapters", "2").status == 0
    assert len(spoken) == 2
    missing = run("projects", "export", project, "--out", tmp_path / "a.flac")
    assert (missing.status, "segments_missing" in missing.err) == (2, True)
    part = run("projects", "export", project, "--out", tmp_path / "a.flac", "--chapters", "2")
    assert part.status == 0, part.err
    assert run("projects", "render", project).status == 0
    assert run("projects", "export", project, "--out", tmp_path / "a.m4a").status == 0
    assert len(spoken) == 4


def test_wrong_requests(run: Run, book: Path, tmp_path: Path) -> None:
    assert "[unsupported_format]" in run("read", book, "--out", tmp_path / "a.exe").err
    assert "can't be read" in run("read", tmp_path / "none.txt", "--out", tmp_path / "a.wav").err
    assert "[voice_not_found]" in run("read", book, "--out", tmp_path / "a.wav", "--voice", "nobody").err
