"""The queue's behaviour with a job that does what the test says; files, threads and the folder's lock are real."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.conftest import wait_until
from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, LARGE_KEY, TOKENIZER_KEY, Studio, build_studio
from tts_core.domain.errors import Cancelled, StudioError, UnknownModelKey
from tts_core.models.download_faults import AllSourcesFailed, DiskFull, DownloadFault, Interrupted, NetDns
from tts_core.models.download_report import summary
from tts_core.models.download_task import DownloadTask, Note, Phase, Provider
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.queue import Downloads, task_of
from tts_core.models.downloads.run import Run
from tts_core.models.files.findings import ModelState
from tts_core.models.status import ModelStatuses
from tts_core.platform.faults import InvalidEndpoint
from tts_core.platform.job import JobKind, JobState
from tts_core.platform.jobs import Jobs

TOTAL = 1000
PATIENCE_S = 120.0


@dataclass
class ScriptedJob:
    """Runs until told to `go` on (or stopped); then ends, with `fault` if there is one."""

    studio: Studio
    go: Event = field(default_factory=Event)
    fault: Exception | None = None
    done: int = 0
    ran: list[tuple[str, Provider]] = field(default_factory=list)

    def is_ready(self, key: str, run: Run) -> bool:
        return self.studio.manager().status(key).valid

    def fetch(self, key: str, provider: Provider, run: Run) -> None:
        self.ran.append((key, provider))
        run.begin(Phase.TRANSFERRING, done=0, total=TOTAL, file="model.safetensors", source="hf")
        while not self.go.is_set():
            run.bytes(self.done)
            if run.wait(0.01):
                raise Interrupted
        if self.fault is not None:
            raise self.fault
        self.studio.install(key)


@dataclass
class Desk:
    """One process: its queue, its view of the models."""

    studio: Studio
    job: ScriptedJob
    models: ModelStatuses
    jobs: Jobs
    downloads: Downloads

    def restore(self, *, resume: bool = False) -> None:
        self.downloads.restore(self.jobs.restore(), resume=resume)

    def state(self, key: str) -> JobState | None:
        task = self.downloads.task(key)
        return task.state if task else None

    def until(self, key: str, condition: Callable[[DownloadTask], bool]) -> DownloadTask:
        deadline = time.monotonic() + PATIENCE_S
        while (task := self.downloads.task(key)) is None or not condition(task):
            assert time.monotonic() < deadline, f"never came true: {task}"
            time.sleep(0.01)
        return task

    def reach(self, key: str, state: JobState) -> DownloadTask:
        return self.until(key, lambda task: task.state is state)


NewDesk = Callable[[], Desk]


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[NewDesk]:
    """Each is as a process of its own on the same folders."""
    studio = build_studio(tmp_path)

    with ExitStack() as opened:

        def build() -> Desk:
            jobs = Jobs(tmp_path / "jobs.json")
            models = ModelStatuses(
                studio.catalogue, studio.models_dir, studio.cache_file, lambda key: task_of(jobs, key)
            )
            job, lock = ScriptedJob(studio), FolderLock(studio.models_dir / ".downloads")
            downloads = Downloads(models, jobs, job, lock, tmp_path / "downloads.json")
            opened.callback(jobs.close)
            return Desk(studio, job, models, jobs, downloads)

        yield build


@pytest.fixture
def desk(new_desk: NewDesk) -> Desk:
    return new_desk()


def test_a_resumed_one_has_its_place_again(desk: Desk) -> None:
    for key in (BASE_KEY, CUSTOM_KEY, LARGE_KEY, TOKENIZER_KEY):
        desk.downloads.start(key)
    desk.reach(BASE_KEY, JobState.RUNNING)
    desk.downloads.pause(CUSTOM_KEY)
    assert desk.downloads.resume(CUSTOM_KEY).position == 1
    desk.downloads.pause(BASE_KEY)
    desk.reach(CUSTOM_KEY, JobState.RUNNING)
    assert desk.downloads.resume(BASE_KEY).position == 1
    assert [task.subject for task in desk.downloads.tasks()] == [CUSTOM_KEY, BASE_KEY, LARGE_KEY, TOKENIZER_KEY]
    desk.downloads.cancel(LARGE_KEY)
    assert desk.downloads.start(LARGE_KEY).position == 3  # it was left, and comes anew


def test_one_runs_and_the_others_wait_in_order(desk: Desk) -> None:
    for key in (BASE_KEY, CUSTOM_KEY, LARGE_KEY):
        desk.downloads.start(key)
    desk.reach(BASE_KEY, JobState.RUNNING)
    assert [(task.subject, task.position) for task in desk.downloads.tasks()] == [
        (BASE_KEY, 0),
        (CUSTOM_KEY, 1),
        (LARGE_KEY, 2),
    ]
    assert desk.downloads.move(LARGE_KEY, 1).position == 1
    assert desk.downloads.move(LARGE_KEY, 99).position == 2
    assert desk.downloads.move(LARGE_KEY, 1).position == 1
    desk.job.go.set()
    desk.reach(CUSTOM_KEY, JobState.DONE)
    assert [key for key, _ in desk.job.ran] == [BASE_KEY, LARGE_KEY, CUSTOM_KEY]


def test_a_second_click_joins(desk: Desk) -> None:
    desk.downloads.start(BASE_KEY)
    desk.reach(BASE_KEY, JobState.RUNNING)
    assert desk.downloads.start(BASE_KEY).state is JobState.RUNNING
    desk.downloads.start(CUSTOM_KEY)
    assert desk.downloads.start(CUSTOM_KEY, "modelscope").provider == "modelscope"
    desk.job.go.set()
    desk.reach(CUSTOM_KEY, JobState.DONE)
    assert desk.job.ran == [(BASE_KEY, "auto"), (CUSTOM_KEY, "modelscope")]


def test_pause_and_resume(desk: Desk) -> None:
    desk.downloads.start(BASE_KEY, "mirror")
    desk.job.done = 400
    desk.until(BASE_KEY, lambda task: task.bytes_done == 400)
    paused = desk.downloads.pause(BASE_KEY)
    assert (paused.state, paused.bytes_done, paused.bytes_per_second, paused.eta_s) == (JobState.PAUSED, 400, 0, None)
    status = desk.models.status(BASE_KEY)
    assert (status.state, status.reason_code, status.bytes_done) == (ModelState.INCOMPLETE, "paused", 400)
    resumed = desk.downloads.resume(BASE_KEY)
    assert (resumed.state, resumed.provider) == (JobState.WAITING, "mirror")
    desk.reach(BASE_KEY, JobState.RUNNING)
    desk.job.go.set()
    assert desk.reach(BASE_KEY, JobState.DONE).progress == 100


def test_a_paused_task_lets_the_next_one_run(desk: Desk) -> None:
    desk.downloads.start(BASE_KEY)
    desk.downloads.start(CUSTOM_KEY)
    desk.reach(BASE_KEY, JobState.RUNNING)
    desk.downloads.pause(BASE_KEY)
    desk.reach(CUSTOM_KEY, JobState.RUNNING)
    assert desk.downloads.pause(TOKENIZER_KEY).state is JobState.CANCELLED  # nothing to pause
    assert desk.downloads.cancel(CUSTOM_KEY).state is JobState.CANCELLED
    assert desk.downloads.cancel(BASE_KEY).state is JobState.CANCELLED
    assert desk.models.status(BASE_KEY).state is ModelState.NOT_DOWNLOADED


def test_states_of_models_follow_the_download(desk: Desk) -> None:
    desk.downloads.start(BASE_KEY)
    desk.downloads.start(CUSTOM_KEY)
    desk.reach(BASE_KEY, JobState.RUNNING)
    states = {status.key: status.state for status in desk.models.statuses()}
    assert (states[BASE_KEY], states[CUSTOM_KEY]) == (ModelState.DOWNLOADING, ModelState.WAITING)
    desk.job.fault = NetDns(source="huggingface.co")
    desk.job.go.set()
    assert desk.reach(BASE_KEY, JobState.ERROR).code == "NET_DNS"
    status = desk.models.status(BASE_KEY)
    assert (status.state, status.reason_code) == (ModelState.ERROR, "NET_DNS")
    assert "huggingface.co" in (status.reason or "")
    assert desk.downloads.cancel(BASE_KEY).code == ""
    assert desk.models.status(BASE_KEY).state is ModelState.NOT_DOWNLOADED


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (DiskFull(folder="/models"), JobState.PAUSED),
        (AllSourcesFailed(reasons="none"), JobState.ERROR),
        (ValueError("a bug"), JobState.ERROR),
        (InvalidEndpoint(name="HF_ENDPOINT", value="http://192.168.1.5"), JobState.ERROR),
    ],
)
def test_a_fault_ends_or_pauses(desk: Desk, fault: Exception, state: JobState) -> None:
    desk.job.fault = fault
    desk.job.go.set()
    desk.downloads.start(BASE_KEY)
    code = fault.code if isinstance(fault, StudioError) else "DOWNLOAD_FAILED"
    failed = desk.until(BASE_KEY, lambda task: bool(task.code))
    assert failed.code == code
    expected = fault if isinstance(fault, StudioError) else DownloadFault(reason="ValueError")
    assert summary(failed) == expected.message
    assert desk.state(BASE_KEY) is state
    desk.job.fault = None
    assert desk.downloads.start(BASE_KEY).code == ""
    desk.reach(BASE_KEY, JobState.DONE)


def test_a_ready_model_ends_at_once_and_stays_ready(desk: Desk) -> None:
    desk.studio.install(BASE_KEY)
    desk.studio.deep(BASE_KEY)
    task = desk.downloads.start(BASE_KEY)
    assert (task.state, task.bytes_done) == (JobState.DONE, desk.models.entry(BASE_KEY).total_bytes)
    assert desk.job.ran == []


def test_unknown_keys(desk: Desk) -> None:
    for call in (desk.downloads.start, desk.downloads.pause, desk.downloads.cancel, desk.downloads.task):
        with pytest.raises(UnknownModelKey):
            call("nonsense")


def test_readers_get_each_end_and_the_newest_number(desk: Desk) -> None:
    with desk.jobs.subscribe() as changes:
        desk.downloads.start(BASE_KEY)
        desk.downloads.start(CUSTOM_KEY)
        desk.job.go.set()
        desk.reach(CUSTOM_KEY, JobState.DONE)
        seen = [changes.next(0), changes.next(0), changes.next(0)]
    ends = [task for task in seen if task]
    assert [(task.subject, task.state) for task in ends] == [(BASE_KEY, JobState.DONE), (CUSTOM_KEY, JobState.DONE)]
    with desk.jobs.subscribe(ends[0].seq) as changes:
        assert changes.next(0) == ends[1]
        assert changes.next(0) is None
    with pytest.raises(Cancelled):
        changes.next(0)


def test_followers_see_it_to_the_end(desk: Desk) -> None:
    desk.downloads.start(BASE_KEY)
    seen: list[DownloadTask] = []
    reader = Thread(target=lambda: seen.extend(desk.downloads.follow(BASE_KEY)))
    reader.start()
    for done in (100, 300):
        desk.job.done = done
        wait_until(lambda done=done: any(task.bytes_done == done for task in seen))  # type: ignore[misc]
    desk.job.go.set()
    reader.join(PATIENCE_S)
    numbers = [task.bytes_done for task in seen]
    assert numbers == sorted(numbers)
    assert {100, 300} <= set(numbers)
    assert seen[-1].state is JobState.DONE
    assert list(desk.downloads.follow(CUSTOM_KEY)) == []


def test_numbers_fall_only_with_a_note(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(key: str, provider: Provider, run: Run) -> None:
        run.begin(Phase.TRANSFERRING, done=0, total=TOTAL, file="a", source="hf")
        run.bytes(800)
        run.begin(Phase.TRANSFERRING, done=200, total=TOTAL, file="a", source="mirror")
        assert desk.downloads.task(key).bytes_done == 800  # type: ignore[union-attr]
        run.note(Note("HASH_MISMATCH", source="hf"), lost_to=200)
        assert desk.downloads.task(key).bytes_done == 200  # type: ignore[union-attr]

    monkeypatch.setattr(desk.job, "fetch", fetch)
    desk.downloads.start(BASE_KEY)
    assert desk.reach(BASE_KEY, JobState.DONE).notes[0].code == "HASH_MISMATCH"


def test_speed_and_stall(desk: Desk) -> None:
    def moves(task: DownloadTask) -> bool:
        desk.job.done += 1
        return task.bytes_per_second > 0

    desk.downloads.start(BASE_KEY)
    task = desk.until(BASE_KEY, moves)
    assert task.eta_s is not None
    assert not task.stalled
    task = desk.until(BASE_KEY, lambda task: task.stalled)
    assert (task.bytes_per_second, task.eta_s, task.bytes_done) == (0, None, desk.job.done)


def test_the_queue_outlives_the_app(new_desk: NewDesk) -> None:
    first = new_desk()
    first.restore()
    for key in (BASE_KEY, CUSTOM_KEY, LARGE_KEY):
        first.downloads.start(key, "modelscope")
    first.reach(BASE_KEY, JobState.RUNNING)
    first.downloads.pause(LARGE_KEY)
    first.jobs.close()
    assert first.state(BASE_KEY) is JobState.PAUSED

    second = new_desk()
    second.restore()
    assert [(task.subject, task.state, task.provider) for task in second.downloads.tasks()] == [
        (key, JobState.PAUSED, "modelscope") for key in (BASE_KEY, CUSTOM_KEY, LARGE_KEY)
    ]
    assert second.models.status(BASE_KEY).reason_code == "paused"


def test_the_queue_goes_on_where_the_user_wants_it(new_desk: NewDesk) -> None:
    first = new_desk()
    first.restore()
    for key in (BASE_KEY, CUSTOM_KEY, LARGE_KEY):
        first.downloads.start(key)
    first.downloads.pause(LARGE_KEY)
    first.reach(BASE_KEY, JobState.RUNNING)
    first.jobs.close()

    second = new_desk()
    second.job.go.set()
    second.restore(resume=True)
    second.reach(CUSTOM_KEY, JobState.DONE)
    assert [key for key, _ in second.job.ran] == [BASE_KEY, CUSTOM_KEY]
    assert second.state(LARGE_KEY) is JobState.PAUSED  # as the user left it


def test_the_queue_of_an_earlier_version_goes_on(new_desk: NewDesk, tmp_path: Path) -> None:
    tasks = [
        former_task(LARGE_KEY, state="paused", code="DISK_FULL", params={"folder": "/models"}),
        former_task(CUSTOM_KEY, state="waiting", position=1),
        former_task(BASE_KEY, state="downloading", phase="transferring"),
    ]
    (tmp_path / "downloads.json").write_text(json.dumps({"version": 1, "tasks": tasks}), encoding="utf-8")
    first = new_desk()
    first.job.go.set()
    first.restore(resume=True)
    first.reach(CUSTOM_KEY, JobState.DONE)
    assert first.job.ran == [(BASE_KEY, "modelscope"), (CUSTOM_KEY, "modelscope")]
    first.jobs.close()
    assert not (tmp_path / "downloads.json").exists(), "it is read once"

    second = new_desk()
    second.restore()
    (left,) = second.downloads.tasks()
    assert (left.subject, left.state, left.code) == (LARGE_KEY, JobState.PAUSED, "DISK_FULL")
    assert left.notes == (Note("NET_DNS", {"source": "huggingface.co"}, "hf", "modelscope"),)


def former_task(key: str, **changes: object) -> dict[str, object]:
    """As the file of downloads held it before downloads were jobs."""
    note = {"code": "NET_DNS", "params": {"source": "huggingface.co"}, "source": "hf", "next_source": "modelscope"}
    words = {"key": key, "provider": "modelscope", "phase": "queued", "source": "", "source_reason": "", "file": ""}
    numbers = {"seq": 7, "updated_at": 1.5, "bytes_done": 3, "bytes_total": 9, "bytes_per_second": 0.0, "eta_s": None}
    facts = {"stalled": False, "position": 0, "code": "", "params": {}, "notes": [note], "foreign": False}
    return {**words, **numbers, **facts, **changes}


@pytest.mark.parametrize("name", ["downloads.json", "jobs.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", '{"tasks": 3, "jobs": 3}', '{"tasks": [{}], "jobs": [{}]}'])
def test_a_broken_file_is_kept_aside(desk: Desk, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    desk.restore(resume=True)
    assert desk.downloads.tasks() == ()
    assert (tmp_path / f"{name}.broken-1").read_text(encoding="utf-8") == content


def test_a_download_holds_up_no_other_job(desk: Desk) -> None:
    desk.jobs.add_work(JobKind.TRANSCRIPTION, lambda _run: {"text": "sesame"})
    desk.downloads.start(BASE_KEY)
    desk.reach(BASE_KEY, JobState.RUNNING)
    job = desk.jobs.submit(JobKind.TRANSCRIPTION, "me.wav")
    wait_until(lambda: desk.jobs.job(job.key).state is JobState.DONE)
    assert desk.state(BASE_KEY) is JobState.RUNNING


def test_a_process_that_only_fetches_one_model_leaves_the_queue_alone(new_desk: NewDesk, tmp_path: Path) -> None:
    app = new_desk()
    app.restore()
    app.downloads.pause(app.downloads.start(BASE_KEY).subject)
    other = new_desk()
    other.job.go.set()
    other.downloads.start(CUSTOM_KEY)
    other.reach(CUSTOM_KEY, JobState.DONE)
    stored = json.loads((tmp_path / "jobs.json").read_text(encoding="utf-8"))
    assert [job["subject"] for job in stored["jobs"]] == [BASE_KEY]


def test_a_second_process_shows_the_first_ones_numbers_and_finds_it_ready(new_desk: NewDesk) -> None:
    first, second = new_desk(), new_desk()
    first.downloads.start(BASE_KEY)
    first.reach(BASE_KEY, JobState.RUNNING)
    first.job.done = 640
    second.downloads.start(BASE_KEY)
    second.downloads.start(CUSTOM_KEY)
    task = second.until(BASE_KEY, lambda task: task.bytes_done == 640)
    assert (task.state, task.foreign, task.position, task.source) == (JobState.WAITING, True, 1, "hf")
    assert second.downloads.tasks()[1].position == 2
    assert second.models.status(BASE_KEY).state is ModelState.WAITING
    first.job.go.set()
    first.reach(BASE_KEY, JobState.DONE)
    second.job.go.set()
    second.reach(BASE_KEY, JobState.DONE)
    second.reach(CUSTOM_KEY, JobState.DONE)


def test_a_process_that_waits_can_stop_waiting_and_takes_over(new_desk: NewDesk) -> None:
    first, second = new_desk(), new_desk()
    first.downloads.start(BASE_KEY)
    first.reach(BASE_KEY, JobState.RUNNING)
    second.downloads.start(CUSTOM_KEY)
    second.until(CUSTOM_KEY, lambda task: task.foreign)
    assert second.downloads.cancel(CUSTOM_KEY).state is JobState.CANCELLED
    second.downloads.start(CUSTOM_KEY)
    second.until(CUSTOM_KEY, lambda task: task.foreign)
    first.jobs.close()  # as at the end of that process
    second.reach(CUSTOM_KEY, JobState.RUNNING)


def test_closing_ends_readers_and_forbids_starts(desk: Desk) -> None:
    desk.downloads.start(BASE_KEY)
    desk.reach(BASE_KEY, JobState.RUNNING)
    seen: list[DownloadTask] = []
    reader = Thread(target=lambda: seen.extend(desk.downloads.follow(BASE_KEY)))
    reader.start()
    desk.jobs.close()
    reader.join(PATIENCE_S)
    assert seen[-1].state is JobState.PAUSED
    with pytest.raises(Cancelled):
        desk.downloads.start(CUSTOM_KEY)
