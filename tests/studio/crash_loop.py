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

from tests.studio.stage import add_take, book, projects_in
from tts_core.studio.edits import segments as editing, whole
from tts_core.studio.faults import NothingToMerge, NothingToRedo, NothingToUndo, SplitOutside
from tts_core.studio.store import OpenProject

STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "shutil.copyfile")
MOST_STEPS = 150
ACTIONS = 12


def act(project: OpenProject, draws: random.Random, number: int) -> str:
    """One action; returns the id of the take that it made, else ""."""
    segments = project.project.segments
    segment = draws.choice(segments).id
    chapter = draws.choice(project.project.chapters).id
    text = f"Text {number} of {draws.random()}, and more of it."
    edits: list[Callable[[], object]] = [
        lambda: project.edit("edit_text", lambda one: editing.with_text(one, segment, text)),
        lambda: project.edit("split", lambda one: editing.split_at(one, segment, 4)),
        lambda: project.edit("merge", lambda one: editing.merged_with_next(one, segment)),
        lambda: project.edit("move", lambda one: editing.moved(one, segment, chapter, "")),
        lambda: project.edit("title", lambda one: whole.with_settings(one, {"title": text})),
        lambda: project.edit("chapter", lambda one: whole.chapter_split(one, segment, text)),
        project.undo,
        project.redo,
    ]
    if draws.random() < 0.4:
        return f"{segment}/{add_take(project, segment).id}"
    try:
        draws.choice(edits)()
    except (NothingToMerge, NothingToUndo, NothingToRedo, SplitOutside):
        return ""
    return ""


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
    for number in range(ACTIONS):
        take = act(project, draws, number)
        header = project.project
        state = [header.revision, header.title, [[s.text for s in c.segments] for c in header.chapters], take]
        os.write(ends, json.dumps(state).encode() + b"\n")


def looked_at(folder: Path, project_id: str, finished: list[list[object]]) -> None:
    """Raises AssertionError where something is broken or lost."""
    projects = projects_in(folder)
    project = projects.open(project_id)
    assert project.obstacle is None
    assert project.notes == ()
    document = project.project
    if finished:
        revision, title, texts, _ = finished[-1]
        assert isinstance(revision, int)
        assert document.revision in (revision, revision + 1)  # the last change may have been written down
        if document.revision == revision:
            assert document.title == title
            assert [[one.text for one in chapter.segments] for chapter in document.chapters] == texts
    listed = {f"{one.id}/{take.id}" for one in document.segments for take in one.all_takes}
    kept = {f"{file.parent.name}/{file.stem}" for file in project.folder.takes.rglob("*.json")}
    made = {str(state[3]) for state in finished if state[3]}
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


def main(folder: Path, times: int, seed: int) -> None:
    projects = projects_in(folder)
    project = projects.create(book(["One is here.", "Two is here.", "Three is here."], ["Four is here.", "Five."]))
    projects.close()
    killed = 0
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
            finished = [json.loads(line) for line in lines if line.endswith(b"\n")]
        _, status = os.waitpid(child, 0)
        assert status in (0, signal.SIGKILL), f"round {number} ended by itself: {status}"
        killed += status == signal.SIGKILL
        looked_at(folder, project.id, finished)
    sys.stdout.write(f"{times} rounds, {killed} killed\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
