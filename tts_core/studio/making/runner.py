"""Makes projects in the background, for hours if need be: stopped, killed and started again at any moment.

    runner.start(project_id, Scope())
    runner.stop(project_id)             # after the segment that is being made

Every finished take is on the disk before the next one begins. A run that was killed loses what was being made, and
makes it again with the same seeds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from threading import Condition, Event, Thread

from tts_core.domain.errors import Cancelled, StudioError
from tts_core.platform.feed import Feed, Subscription
from tts_core.platform.job import Job, JobKind, JobRun, JobState
from tts_core.platform.jobs import Jobs
from tts_core.platform.settings.projects import ResumePolicy
from tts_core.speech.synthesis import Synthesis
from tts_core.studio.disk.journal import now
from tts_core.studio.faults import DesignNotLocked, RunInProgress, VoiceNeedsRecording
from tts_core.studio.making.pace import Paces, RunClock
from tts_core.studio.making.runs import RunFile, RunState, RunStatus, Scope, ScopeKind
from tts_core.studio.making.segments import MadeSegment, SegmentMaker, SegmentWork, fitting_takes, work_of
from tts_core.studio.model import SegmentState, TakeFailure, TakeOrigin
from tts_core.studio.projects import Projects
from tts_core.studio.store import OpenProject

logger = logging.getLogger(__name__)

MOST_FAILURES = 5
"""Segments in a row that fail, after which the cause is not the text."""
_MOST_AT_ONCE = 64
_CLOSE_TIMEOUT_S = 30.0


@dataclass(slots=True)
class _Run:
    """A run that goes on."""

    project_id: str
    scope: Scope
    stop: Event = field(default_factory=Event)
    """No other segment is begun."""
    abort: Event = field(default_factory=Event)
    """The takes that are being made are dropped as well."""
    thread: Thread | None = None


@dataclass(slots=True)
class _Progress:
    """The state of a run's work, for its own thread."""

    pending: list[SegmentWork]
    clock: RunClock
    paces: Paces
    status: RunStatus
    making: dict[Future[MadeSegment], SegmentWork] = field(default_factory=dict)
    failures: int = 0
    """Segments in a row that failed."""

    def remaining(self) -> dict[str, float]:
        """The expected seconds that are left, by voice."""
        found: dict[str, float] = {}
        for work in (*self.pending, *self.making.values()):
            found[work.voice] = found.get(work.voice, 0.0) + work.text.expected_s
        return found


class StudioRunner:
    """Makes one project at a time; others wait. Thread-safe. Methods that take an id raise UnknownProject."""

    def __init__(
        self,
        projects: Projects,
        synthesis: Synthesis,
        maker: SegmentMaker,
        jobs: Jobs,
        listener: Callable[[RunStatus], None] = lambda _status: None,
    ) -> None:
        """`listener` is called after every change of a run, from the thread that made it."""
        self._projects = projects
        self._synthesis = synthesis
        self._maker = maker
        self._jobs = jobs
        self._listener = listener
        self._feed: Feed[RunStatus] = Feed()
        self._changed = Condition()
        self._runs: dict[str, _Run] = {}
        """The runs in the order in which they came, by project; the first one works."""
        self._is_closing = False

    def start(self, project_id: str, scope: Scope) -> RunStatus:
        """Begin to make the segments of `scope`.

        Raises RunInProgress, ProjectInUse and its like, UnknownVoice, DesignNotLocked, VoiceNeedsRecording, OSError.
        """
        project = self._projects.open(project_id)
        project.require_writable()
        rows = scope.rows(project)
        for voice in {work_of(project, row).voice for row in rows}:
            self._check_voice(voice)
        with self._changed:
            if self._is_closing:
                raise Cancelled
            if project_id in self._runs:
                raise RunInProgress(title=project.project.title)
            run = self._runs[project_id] = _Run(project_id, scope)
        if not scope.again:
            RunFile(project.folder.root).write(scope, is_stopped=False)
        state = RunState.RUNNING if len(self._runs) == 1 else RunState.WAITING
        status = self._put(RunStatus(key=project_id, state=state, total=len(rows)))
        run.thread = Thread(target=self._work, args=(run,), name=f"studio-{project_id}", daemon=True)
        run.thread.start()
        return status

    def stop(self, project_id: str) -> RunStatus:
        """Stop after the segment that is being made. Nothing happens where nothing is made."""
        with self._changed:
            run = self._runs.get(project_id)
            if run is not None:
                run.stop.set()
                self._changed.notify_all()
        if run is not None:
            self._show(project_id, _stopping)
        return self.status(project_id)

    def resume(self, project_id: str) -> RunStatus:
        """Go on with what was stopped or interrupted; everything that is missing where nothing was. Raises as
        `start`."""
        unfinished = RunFile(self._projects.open(project_id).folder.root).read()
        return self.start(project_id, Scope() if unfinished is None else unfinished.scope)

    def status(self, project_id: str) -> RunStatus:
        """The state of the project's run: the present one, the last one, or the one that an earlier process left."""
        if (status := self._feed.item(project_id)) is not None:
            return status
        unfinished = RunFile(self._projects.open(project_id).folder.root).read()
        state = RunState.IDLE if unfinished is None else RunState.STOPPED
        return RunStatus(key=project_id, state=state)

    def subscribe(self, after_seq: int = 0) -> Subscription[RunStatus]:
        """Subscribe to changes of all runs."""
        return self._feed.subscribe(after_seq)

    def wait(self, project_id: str) -> RunStatus:
        """The state of the run once it has ended."""
        run = self._runs.get(project_id)
        if run is not None and run.thread is not None:
            run.thread.join()
        return self.status(project_id)

    def take_up(self, policy: ResumePolicy) -> None:
        """Go on with the runs that an earlier process left unfinished, or show that they can go on."""
        if policy is ResumePolicy.OFF:
            return
        for card in self._projects.cards():
            if card.problem is not None:
                continue
            try:
                unfinished = RunFile(self._projects.open(card.project.id).folder.root).read()
                if unfinished is None:
                    continue
                if policy is ResumePolicy.AUTO and not unfinished.is_stopped:
                    self.start(card.project.id, unfinished.scope)
                else:
                    self._put(RunStatus(key=card.project.id, state=RunState.STOPPED))
            except (StudioError, OSError) as error:
                logger.warning("a run can't go on: %s", type(error).__name__)

    def close(self) -> None:
        """End all runs, keeping every finished take; the next process can go on with them."""
        with self._changed:
            self._is_closing = True
            runs = list(self._runs.values())
            for run in runs:
                run.stop.set()
                run.abort.set()
            self._changed.notify_all()
        for run in runs:
            if run.thread is not None:
                run.thread.join(_CLOSE_TIMEOUT_S)
        self._feed.close()

    def _check_voice(self, voice: str) -> None:
        """Refuse voices that would be somebody else in each segment."""
        can = self._synthesis.capabilities(voice or None)
        if can.can_design:
            raise DesignNotLocked(voice=voice)
        if can.can_clone:
            raise VoiceNeedsRecording(voice=voice)

    def _work(self, run: _Run) -> None:
        is_whole = False
        try:
            with (
                self._projects.holding(run.project_id) as project,
                self._jobs.watch(JobKind.PROJECT_RENDER, run.project_id, run.stop) as job,
            ):
                self._wait_for_others(run, job)
                is_whole = self._make_all(run, project, job)
        except Cancelled:
            self._end(run, RunState.STOPPED)
        except StudioError as error:
            self._end(run, RunState.FAILED, error)
        except Exception:
            logger.exception("the run of a project broke")
            self._end(run, RunState.FAILED, StudioError())
        else:
            self._end(run, RunState.DONE if is_whole else RunState.STOPPED)

    def _end(self, run: _Run, state: RunState, error: StudioError | None = None) -> None:
        """Show the end of the run; what is left of it stays noted on the disk."""
        try:
            file = RunFile(self._projects.open(run.project_id).folder.root)
            if state is RunState.DONE:
                file.remove()
            elif not self._is_closing and not run.scope.again:
                file.write(run.scope, is_stopped=True)
        except (StudioError, OSError):
            logger.warning("the end of a run can't be noted")
        with self._changed:
            del self._runs[run.project_id]
            self._changed.notify_all()
        shown = RunStatus(key=run.project_id) if error is None else _failed(error, run.project_id)
        self._show(
            run.project_id,
            lambda status: replace(
                status, state=state, left_s=None, code=shown.code, params=shown.params, message=shown.message
            ),
        )

    def _wait_for_others(self, run: _Run, job: JobRun) -> None:
        """Wait until the runs that came before have ended. Raises Cancelled."""
        with self._changed:
            while (place := list(self._runs).index(run.project_id)) > 0:
                job.wait("queued", place)
                self._changed.wait()
                if run.stop.is_set():
                    raise Cancelled

    def _make_all(self, run: _Run, project: OpenProject, job: JobRun) -> bool:
        """Make everything; returns whether nothing is left."""
        rows = run.scope.rows(project)
        pending = [work_of(project, row) for row in rows]
        if run.scope.kind is ScopeKind.SEGMENTS and run.scope.again:
            pending = [work for work in pending for _ in range(run.scope.again)]
        clock = RunClock(sum(work.text.expected_s for work in pending))
        status = RunStatus(key=run.project_id, state=RunState.RUNNING, total=len(pending))
        progress = _Progress(pending, clock, _paces(project), status)
        self._report(progress, job)
        with ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="studio-take") as pool:
            try:
                while progress.pending or progress.making:
                    self._begin(run, project, progress, pool)
                    if not progress.making:
                        break
                    for future in wait(progress.making, return_when=FIRST_COMPLETED).done:
                        self._finish(project, progress, future)
                        self._report(progress, job)
            except BaseException:
                run.abort.set()
                raise
        counts = progress.status
        if not progress.pending:
            job.result = {"made": counts.done, "flagged": counts.flagged, "failed": counts.failed}
        return not progress.pending

    def _begin(self, run: _Run, project: OpenProject, progress: _Progress, pool: ThreadPoolExecutor) -> None:
        """Begin as many segments as may be made at a time: one less than the engine allows, if it allows several."""
        while progress.pending and not run.stop.is_set():
            allowed = max(1, self._synthesis.at_once(progress.pending[0].voice or None) - 1)
            if len(progress.making) >= min(allowed, _MOST_AT_ONCE):
                return
            work = progress.pending.pop(0)
            origin = TakeOrigin.AGAIN if run.scope.again else TakeOrigin.AUTO
            project.mark_making([work.segment_id], is_on=True)
            stops = (run.stop.is_set, run.abort.is_set)
            future = pool.submit(self._maker.make, project, work.segment_id, progress.paces, origin, stops)
            progress.making[future] = work

    def _finish(self, project: OpenProject, progress: _Progress, future: Future[MadeSegment]) -> None:
        """Note what became of a segment. Raises the cause where too many in a row failed, and Cancelled."""
        at_once, work = len(progress.making), progress.making.pop(future)
        project.mark_making([work.segment_id], is_on=False)
        try:
            made = future.result()
        except Cancelled:
            raise
        except StudioError as error:
            self._note_failure(project, work, error)
            progress.failures += 1
            progress.clock.pass_over(work.text.expected_s)
            progress.status = replace(progress.status, done=progress.status.done + 1, failed=progress.status.failed + 1)
            if progress.failures >= MOST_FAILURES:
                raise
            return
        progress.failures = 0
        row = project.row(work.segment_id)
        if row.take is not None:
            progress.paces.note(work.manner, work.text.expected_s, row.take.duration_s)
        progress.clock.note(work.voice, work.text.expected_s, made.wall_s, at_once)
        is_flagged = row.state is SegmentState.FLAGGED
        progress.status = replace(
            progress.status, done=progress.status.done + 1, flagged=progress.status.flagged + is_flagged
        )

    def _note_failure(self, project: OpenProject, work: SegmentWork, error: StudioError) -> None:
        logger.warning("a segment can't be made: %s", error.code)
        key = project.row(work.segment_id).keys.made
        project.note_failure(work.segment_id, TakeFailure(error.code, key, now()))

    def _report(self, progress: _Progress, job: JobRun) -> None:
        left = progress.clock.left(progress.remaining())
        left_s, is_rough = (None, True) if left is None else (left.seconds, left.is_rough)
        progress.status = replace(progress.status, left_s=left_s, is_rough=is_rough)
        self._show(
            progress.status.key,
            lambda shown: replace(progress.status, state=shown.state if shown.state.is_active else RunState.RUNNING),
        )
        percent = min(99.0, 100.0 * progress.clock.share)
        job.change(lambda shown: _shown(shown, percent, left_s))

    def _put(self, status: RunStatus) -> RunStatus:
        status = self._feed.put(status)
        self._listener(status)
        return status

    def _show(self, project_id: str, change: Callable[[RunStatus], RunStatus]) -> None:
        before = self._feed.item(project_id)
        if before is not None:
            after = self._feed.change(project_id, lambda status: _numbered(change(status), status))
            if after.seq != before.seq:
                self._listener(after)


def _paces(project: OpenProject) -> Paces:
    """The paces of the voices by the takes that are there."""
    paces = Paces()
    for row in project.rows():
        if row.take is not None and row.keys.fits(row.take) and fitting_takes(row):
            work = work_of(project, row)
            paces.note(work.manner, work.text.expected_s, row.take.duration_s)
    return paces


def _stopping(status: RunStatus) -> RunStatus:
    return replace(status, state=RunState.STOPPING) if status.state is RunState.RUNNING else status


def _failed(error: StudioError, project_id: str) -> RunStatus:
    return RunStatus(key=project_id, code=error.code, params=error.params, message=error.message)


def _numbered(status: RunStatus, before: RunStatus) -> RunStatus:
    """The status with the number of the one before, so that an equal one is not shown again."""
    return replace(status, seq=before.seq, updated_at=before.updated_at)


def _shown(job: Job, percent: float, left_s: float | None) -> Job:
    shown = replace(job, state=JobState.RUNNING, position=0, phase="making", eta_s=left_s)
    return replace(shown, progress=max(job.progress, percent))
