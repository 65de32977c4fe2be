"""Edits and takes in a process that is killed at some step of some write, again and again; then all is looked at.

    python -m tests.studio.crash_loop FOLDER TIMES SEED

Each round is a fork that opens the project, works, and is killed before one of its touches of the disk. What it had
finished before must be there, and everything must be whole. Prints the number of rounds that were looked at.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.studio.stage import add_take, book, projects_in
from tts_core.studio.disk.changes import applied
from tts_core.studio.disk.journal import ChangeLog
from tts_core.studio.edits import segments as editing, whole
from tts_core.studio.faults import NothingToMerge, NothingToRedo, NothingToUndo, SplitOutside
from tts_core.studio.model import Project
from tts_core.studio.store import OpenProject

STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "shutil.copyfile")
MOST_STEPS = 150
ACTIONS = 12


State = list[object]
"""A project's title, and the texts of its chapters."""


def state_of(project: Project) -> State:
    return [project.title, [[segment.text for segment in chapter.segments] for chapter in project.chapters]]


def act(project: OpenProject, draws: random.Random, number: int, say: Callable[[str, object], None]) -> None:
    """Do one thing. What it leads to is announced before, and that it is done afterwards."""
    document = project.project
    segment, chapter = draws.choice(document.segments).id, draws.choice(document.chapters).id
    text = f"Text {number} of {draws.random()}, and more of it."
    edits: list[Callable[[Project], Project]] = [
        lambda one: editing.with_text(one, segment, text),
        lambda one: editing.split_at(one, segment, 4),
        lambda one: editing.merged_with_next(one, segment),
        lambda one: editing.moved(one, segment, chapter, ""),
        lambda one: whole.with_settings(one, {"title": text}),
        lambda one: whole.chapter_split(one, segment, text),
        lambda one: whole.chapter_merged_with_next(one, chapter),
    ]
    kind = draws.random()
    if kind < 0.3:
        say("take", f"{segment}/{add_take(project, segment).id}")
        return
    try:
        if kind < 0.5:
            step, stack = draws.choice([(project.undo, states_before), (project.redo, states_after)])
            say("next", stack(project))
            step()
        else:
            after = draws.choice(edits)(document)
            say("next", state_of(after))
            project.edit("edit", lambda _one: after)
    except (NothingToMerge, NothingToUndo, NothingToRedo, SplitOutside):
        pass
    say("now", state_of(project.project))


def states_before(project: OpenProject) -> State:
    """The state to which undo leads."""
    return _led_to(project, "undo")


def states_after(project: OpenProject) -> State:
    return _led_to(project, "redo")


def _led_to(project: OpenProject, step: str) -> State:
    log = ChangeLog(project.folder.revisions, 50)
    log.load()
    _, side = log.undo(0) if step == "undo" else log.redo(0)
    return state_of(applied(project.project, side, {}))


def work(folder: Path, project_id: str, seed: int, ends: int) -> None:
    """Open the project, act, and die before the touch of the disk with the number `last_step`."""
    draws, steps = random.Random(seed), 0
    last_step = draws.randrange(MOST_STEPS)

    def count(event: str, _args: object) -> None:
        nonlocal steps
        if event in STEPS:
            steps += 1
            if steps > last_step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    project = projects_in(folder).open(project_id)

    def say(word: str, what: object) -> None:
        os.write(ends, json.dumps([word, what]).encode() + b"\n")

    for number in range(ACTIONS):
        act(project, draws, number, say)


def looked_at(folder: Path, project_id: str, before: State, lines: list[tuple[str, Any]]) -> State:
    """The state of the project as it is found. Raises AssertionError where something is broken or lost."""
    projects = projects_in(folder)
    project = projects.open(project_id)
    assert project.obstacle is None
    assert project.notes == ()
    document = project.project
    last = next((what for word, what in reversed(lines) if word == "now"), before)
    allowed = [last, *(what for word, what in lines[-1:] if word == "next")]
    assert state_of(document) in allowed
    ids = [segment.id for segment in document.segments]
    assert len(set(ids)) == len(ids)
    listed = {f"{one.id}/{take.id}" for one in document.segments for take in one.all_takes}
    kept = {f"{file.parent.name}/{file.stem}" for file in project.folder.takes.rglob("*.json")}
    made = {str(what) for word, what in lines if word == "take"}
    assert made <= kept, "a finished take is lost"
    assert listed <= kept
    for file in project.folder.root.rglob("*"):
        assert not file.name.endswith(".part") or "takes" not in file.parts, file
        if file.suffix == ".json":
            json.loads(file.read_bytes())
        if file.suffix == ".wav":
            assert file.with_suffix(".json").exists(), "a sound without its facts"
            with wave.open(str(file)) as sound:
                assert sound.getnframes() == 240
    again = projects_in(folder)
    projects.close()
    assert again.open(project_id).project.chapters == document.chapters
    again.close()
    return state_of(document)


def main(folder: Path, times: int, seed: int) -> None:
    projects = projects_in(folder)
    project = projects.create(book(["One is here.", "Two is here.", "Three is here."], ["Four is here.", "Five."]))
    projects.close()
    state, killed = state_of(project.project), 0
    for number in range(times):
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reads)
                work(folder, project.id, seed + number, writes)
                status = 0
            finally:
                traceback.print_exc()
                os._exit(status)
        os.close(writes)
        with os.fdopen(reads, "rb") as lines:
            announced = [json.loads(line) for line in lines if line.endswith(b"\n")]
        _, status = os.waitpid(child, 0)
        assert status in (0, signal.SIGKILL), f"round {number} ended by itself: {status}"
        killed += status == signal.SIGKILL
        state = looked_at(folder, project.id, state, announced)
    sys.stdout.write(f"{times} rounds, {killed} killed\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
