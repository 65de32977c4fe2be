"""A project is made and joined on the command line: progress on stderr, Ctrl-C once for a clean stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tts_core.cli import progress
from tts_core.cli.faults import OutputUnwritable
from tts_core.cli.status import Exit
from tts_core.platform.whole_files import replacing
from tts_core.services import Services
from tts_core.studio.export.assembly import JoinChoices
from tts_core.studio.export.joined import JoinedFile, write_joined
from tts_core.studio.making.runs import RunState, RunStatus, Scope
from tts_core.studio.model import SegmentState

_POLL_S = 0.5


def make(services: Services, project_id: str, scope: Scope) -> RunStatus:
    """Make the segments of `scope`, and show how far it is. Ctrl-C stops after the segment that is being made, a
    second one at once. Raises what `StudioRunner.start` raises."""
    runner = services.making.runner
    begun = runner.start(project_id, scope)
    with _stopping(services, project_id), runner.subscribe(begun.seq - 1) as changes:
        while runner.status(project_id).state.is_active:
            if (status := changes.next(_POLL_S)) is not None and status.key == project_id:
                progress.show(as_words(status))
        progress.clear()
    return runner.wait(project_id)


def as_words(status: RunStatus) -> str:
    """ "128 of 900 · about 3 h 10 min"."""
    words = f"{status.done} of {status.total}"
    if status.left_s is not None:
        words += f" · {'about ' if status.is_rough else ''}{_hours(status.left_s)} left"
    return words + (" · stopping" if status.state is RunState.STOPPING else "")


def outcome(services: Services, project_id: str, status: RunStatus) -> Exit:
    """The exit status that a run leaves: 1 where takes may be wrong, 2 where some can't be made, 130 where it was
    stopped."""
    if status.state is RunState.STOPPED:
        print("Stopped: what is made so far is kept. The same command goes on.", file=sys.stderr)
        return Exit.STOPPED
    if status.state is RunState.FAILED:
        print(f"{status.message} [{status.code}]", file=sys.stderr)
        return Exit.ERROR
    states = services.projects.open(project_id).counts()[""].states
    failed, flagged = states.get(SegmentState.FAILED, 0), states.get(SegmentState.FLAGGED, 0)
    if failed:
        print(f"{failed} segments can't be made. The same command tries them again.", file=sys.stderr)
    if flagged:
        print(f"{flagged} segments may be wrong: listen to them in Studio.", file=sys.stderr)
    return Exit.ERROR if failed else Exit.NO if flagged else Exit.DONE


def export(services: Services, project_id: str, choices: JoinChoices, out: Path) -> JoinedFile:
    """Join the takes into `out`, which appears whole or not at all. Raises OutputUnwritable and what
    `Exporter.assemble` raises."""
    assembly = services.making.exporter.assemble(project_id, choices)
    if assembly.missing:
        print(f"{len(assembly.missing)} segments have no take ({choices.missing.value}).", file=sys.stderr)
    try:
        with replacing(out) as part:
            made = write_joined(
                assembly, part, choices.format, progress=lambda percent: progress.show(f"joining: {percent:.0f} %")
            )
    except OSError as error:
        raise OutputUnwritable(path=out, reason=error.strerror or str(error)) from error
    progress.clear()
    return made


@contextmanager
def _stopping(services: Services, project_id: str) -> Iterator[None]:
    def on_interrupt(_signal: int, _frame: FrameType | None) -> None:
        print("\nStopping after this segment…", file=sys.stderr)
        services.making.runner.stop(project_id)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _hours(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
