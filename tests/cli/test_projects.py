"""`projects`: look at them, delete and restore, undo; without a server, and beside one that has them open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer, Run
from tests.studio.stage import add_take, book
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
from tts_core.studio.edits import segments as editing


@pytest.fixture
def project_id(data_dir: Path) -> str:
    """A project of three segments, of which one has a take and one was edited."""
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir)}))
    project = services.projects.create(book(["One is here.", "Two is here."], ["Three is here."]))
    add_take(project, "s1", seconds=62.0)
    project.edit("edit_text", lambda before: editing.with_text(before, "s2", "Two."))
    services.close()
    return project.id


def printed(answer: Answer) -> Any:
    assert answer.status == 0, answer.err
    return json.loads(answer.out)


def test_projects_are_listed_and_shown(run: Run, project_id: str) -> None:
    assert run("projects", "list").out == f"{project_id}  A book  (1 of 3 segments, 1:02)\n"
    assert printed(run("projects", "list", "--json"))[0]["states"] == {"ready": 1, "waiting": 2}
    shown = run("projects", "show", project_id).out.splitlines()
    assert shown == [
        "A book  (1 of 3 segments, 1:02)",
        "  1. Chapter 1  (1 of 2 segments, 1:02)",
        "  2. Chapter 2  (0 of 1 segments, 0:00)",
    ]
    assert printed(run("projects", "show", project_id, "--json"))["chapters"][0]["title"] == "Chapter 1"
    missing = run("projects", "show", "nothing")
    assert (missing.status, "project_not_found" in missing.err) == (2, True)


def test_the_last_change_is_taken_back(run: Run, project_id: str) -> None:
    assert run("projects", "undo", project_id).out == "Taken back: edit text.\n"
    again = run("projects", "undo", project_id)
    assert (again.status, "nothing_to_undo" in again.err) == (2, True)


def test_a_project_is_deleted_restored_and_removed(run: Run, project_id: str, data_dir: Path) -> None:
    run("projects", "delete", project_id)
    assert run("projects", "list").out == ""
    assert project_id in run("projects", "list", "--deleted").out
    assert run("projects", "restore", project_id).out == "A book is back.\n"
    run("projects", "delete", project_id, "--files")
    assert list((data_dir / "projects").iterdir()) == []


def test_a_project_that_another_program_has_open_is_shown_but_not_changed(
    run: Run, project_id: str, data_dir: Path
) -> None:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir)}))
    services.projects.open(project_id)
    assert "A book" in run("projects", "show", project_id).out
    refused = run("projects", "undo", project_id)
    assert (refused.status, "project_in_use" in refused.err) == (2, True)
    services.close()
    assert run("projects", "undo", project_id).status == 0
