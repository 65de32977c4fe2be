"""A studio that is killed goes on where it was, and makes the same as one that never was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.studio.making.killed import sometimes_wrong
from tests.studio.making.stage import Stage, sentences
from tests.studio.stage import book
from tts_core.studio.export.assembly import JoinChoices, Missing, assembled
from tts_core.studio.export.joined import write_joined
from tts_core.studio.making.runs import Scope


def run(folder: Path, project_id: str, after: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.studio.making.killed", str(folder), project_id, str(after)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def export(folder: Path, project_id: str) -> bytes:
    stage = Stage(folder)
    project = stage.projects.open(project_id)
    choices = JoinChoices(missing=Missing.STOP)
    write_joined(assembled(project, choices, stage.voices), folder / "book.wav", "wav")
    stage.close()
    return (folder / "book.wav").read_bytes()


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Path, str, int, bytes]:
    """A project as it is before it is made, its id, the readings of an unbroken run, and its file."""
    stage = Stage(tmp_path / "new")
    project = stage.projects.create(book(sentences(20), ["The end of it all is here."], seed=11))
    stage.close()
    shutil.copytree(tmp_path / "new", tmp_path / "whole")
    stage = Stage(tmp_path / "whole")
    stage.engine.reading = sometimes_wrong
    stage.runner.start(project.id, Scope())
    stage.runner.wait(project.id)
    stage.close()
    return tmp_path / "new", project.id, len(stage.engine.readings), export(tmp_path / "whole", project.id)


@pytest.mark.slow
def test_a_killed_run_ends_as_an_unbroken_one_and_makes_only_what_was_in_flight_twice(
    whole: tuple[Path, str, int, bytes],
) -> None:
    folder, project_id, readings, joined = whole
    assert readings > 21
    assert run(folder, project_id, after=9).returncode == -9
    again = run(folder, project_id)
    assert again.returncode == 0, again.stderr
    assert int(again.stdout) == readings - 8  # eight were finished before the kill in the ninth
    assert export(folder, project_id) == joined


@pytest.mark.thorough
def test_a_run_that_is_killed_again_and_again_ends_as_an_unbroken_one(whole: tuple[Path, str, int, bytes]) -> None:
    folder, project_id, readings, joined = whole
    kills = 0
    while run(folder, project_id, after=2).returncode == -9:
        kills += 1
        assert kills < 2 * readings
    assert kills > 10
    assert export(folder, project_id) == joined
