"""A book of five thousand segments, in one chapter and in many, is read and edited without a noticeable wait.

The bounds are on the time that this process computes: how busy the machine is does not matter. Times by the clock are
printed with `-s`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from tests.studio.stage import book, projects_in
from tts_core.studio.edits import finding, segments as editing
from tts_core.studio.index import Filters
from tts_core.studio.model import SegmentState
from tts_core.studio.store import OpenProject

SEGMENTS = 5_000
SENTENCE = "This is sentence {} of a long book, in which nothing happens that takes longer to say than some seconds."


def timed(label: str, work: Callable[[], object], times: int = 5) -> float:
    """The median seconds that this process computes for `work`."""
    computed, by_clock = [], []
    for _ in range(times):
        started, clock = time.process_time(), time.perf_counter()
        work()
        computed.append(time.process_time() - started)
        by_clock.append(time.perf_counter() - clock)
    sys.stdout.write(
        f"{label}: {1000 * median(computed):.1f} ms computed, {1000 * median(by_clock):.1f} ms by the clock\n"
    )
    return median(computed)


@pytest.mark.thorough
@pytest.mark.parametrize("chapters", [1, 50])
def test_pages_and_edits_of_five_thousand_segments_are_quick(tmp_path: Path, chapters: int) -> None:
    each = SEGMENTS // chapters
    texts = [[SENTENCE.format(chapter * each + number) for number in range(each)] for chapter in range(chapters)]
    projects = projects_in(tmp_path)
    project = projects.create(book(*texts))
    projects.close()
    sys.stdout.write(f"\n{chapters} chapters\n")
    opened: list[OpenProject] = []

    def open_once() -> None:
        opened.append(projects_in(tmp_path).open(project.id))
        opened[-1].counts()
        if len(opened) > 1:
            opened.pop(0).close()

    timed("open", open_once, times=2)
    project = opened[-1]
    if project.obstacle is not None:
        project.try_to_own()
    edits = iter(range(1000))

    def edit() -> None:
        number = next(edits)
        project.edit("edit_text", lambda before: editing.with_text(before, f"s{40 * number + 1}", f"Edit {number}."))

    def split() -> None:
        project.edit("split", lambda before: editing.split_at(before, f"s{40 * next(edits) + 1}", 20))

    assert timed("first edit", edit, times=1) < 0.3
    assert timed("edit", edit, times=15) < 0.05
    assert timed("split", split) < 0.1
    assert timed("undo", project.undo) < 0.1
    assert timed("page", lambda: project.page(Filters(), page=7)) < 0.05
    assert timed("search", lambda: project.page(Filters(text="sentence 4321"))) < 0.05
    assert timed("filter", lambda: project.page(Filters(states=frozenset({SegmentState.WAITING})), page=3)) < 0.05
    assert timed("counts", project.counts) < 0.05
    assert timed("find", lambda: finding.found(project.project, finding.TextSearch("sentence 43"))) < 0.05
    replacement = finding.TextSearch("long book")
    assert timed("replace all", lambda: project.edit("r", lambda one: finding.replaced(one, replacement, "b")), 1) < 3
    assert sum("a b, in" in segment.text for segment in project.project.segments) > SEGMENTS // 2
