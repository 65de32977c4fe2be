"""Projects are made: to the end, stopped, interrupted, mended, and behind people who wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.studio.making.stage import ReaderEngine, Stage, sentences
from tests.studio.stage import book, states
from tts_core.domain.errors import UnknownVoice
from tts_core.domain.events import Queued, Started
from tts_core.domain.values import Capabilities, StopReason, SynthesisRequest
from tts_core.platform.job import JobKind, JobState
from tts_core.platform.settings.projects import ResumePolicy
from tts_core.speech.synthesis import collect
from tts_core.studio.edits import segments as editing
from tts_core.studio.faults import DesignNotLocked, RunInProgress
from tts_core.studio.making.runs import RunFile, RunState, Scope, ScopeKind
from tts_core.studio.model import CheckMode, Delivery, TakeFlag, TakeOrigin
from tts_core.studio.states import take_seed
from tts_core.studio.store import OpenProject


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def made_of(stage: Stage, count: int = 6, **fields: object) -> OpenProject:
    return stage.projects.create(book(sentences(count), ["And a second chapter ends here, too."], seed=5, **fields))


def run(stage: Stage, project: OpenProject, scope: Scope | None = None) -> RunState:
    stage.runner.start(project.id, scope or Scope())
    return stage.runner.wait(project.id).state


def test_everything_is_made_once_with_seeds_of_the_project(stage: Stage) -> None:
    project = made_of(stage)
    assert run(stage, project) is RunState.DONE
    assert states(project) == ["ready"] * 7
    takes = [take for segment in project.project.segments for take in segment.takes]
    assert [take.seed for take in takes] == [take_seed(5, one.id, 1) for one in project.project.segments]
    assert {(take.sample_rate, take.origin, take.tempo) for take in takes} == {(24_000, TakeOrigin.AUTO, 1.0)}
    assert {project.sound_of("s1", one.id).suffix for one in project.segment("s1").takes} == {".flac"}
    status = stage.runner.status(project.id)
    assert (status.total, status.done, status.flagged, status.failed) == (7, 7, 0, 0)
    job = stage.jobs.jobs()[0]
    assert (job.kind, job.subject, job.state) == (JobKind.PROJECT_RENDER, project.id, JobState.DONE)
    assert job.result == {"made": 7, "flagged": 0, "failed": 0}
    assert RunFile(project.folder.root).read() is None
    assert not list(stage.engine.readings[7:])
    assert run(stage, project) is RunState.DONE
    assert len(stage.engine.seen) == 7


def test_scopes_choose_what_is_made(stage: Stage) -> None:
    project = made_of(stage)
    run(stage, project, Scope(ScopeKind.CHAPTERS, chapters=("c2",)))
    run(stage, project, Scope(ScopeKind.SEGMENTS, segments=("s2",)))
    assert states(project) == ["waiting", "ready", *["waiting"] * 4, "ready"]
    run(stage, project, Scope(ScopeKind.SEGMENTS, segments=("s2",), again=2))
    assert [take.origin.value for take in project.segment("s2").takes] == ["auto", "again", "again"]
    assert len({take.seed for take in project.segment("s2").takes}) == 3
    run(stage, project, Scope(ScopeKind.FLAGGED))
    assert len(stage.engine.seen) == 4


def test_only_what_was_edited_is_made_again(stage: Stage) -> None:
    project = made_of(stage)
    run(stage, project)
    project.edit("edit_text", lambda before: editing.with_text(before, "s3", "This one reads otherwise now."))
    run(stage, project)
    assert [request.text for request in stage.engine.seen[7:]] == ["This one reads otherwise now."]
    project.edit("edit_text", lambda before: editing.with_text(before, "s3", sentences(6)[2]))
    run(stage, project)
    assert len(stage.engine.seen) == 8


TEXTS = {
    "en": "The lighthouse keeper climbed the narrow stairs every evening, and he lit the lamp for them.",
    "zh": "每天傍晚，看守灯塔的老人都会沿着狭窄的楼梯慢慢爬上去，在太阳落山之前把他的灯点亮。",
    "ja": "灯台守は毎日夕方になると狭い階段をゆっくり登り、太陽が沈む前に明かりをともしました。",
    "ko": "등대지기는 매일 저녁 좁은 계단을 천천히 올라가서 해가 지기 전에 등불을 밝혔습니다.",
}


def without_end(text: str) -> str:
    return " ".join(text.split()[:-3]) if text.count(" ") > 5 else text[:-4]


def said_again(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + text[middle - 6 : middle] + text[middle - 6 :] if " " not in text else f"{text[:-1]} {text}"


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("fault", [without_end, said_again])
def test_a_wrong_take_is_found_and_made_again(stage: Stage, language: str, fault: object) -> None:
    stage.engine.reading = lambda request, before: fault(request.text) if not before else request.text  # type: ignore[operator]
    project = stage.projects.create(book([TEXTS[language]]))
    assert run(stage, project) is RunState.DONE
    first, second = project.segment("s1").takes
    assert first.check is not None
    assert set(first.check.flags) & {TakeFlag.END_MISSING, TakeFlag.WRONG_RUN, TakeFlag.END_ADDED}
    assert (second.origin, second.check.flags if second.check else None) == (TakeOrigin.RETRY, ())
    row = project.row("s1")
    assert (row.state.value, row.take) == ("ready", second)


def test_three_wrong_takes_leave_the_best_with_a_flag(stage: Stage) -> None:
    cut = [3, 1, 4]
    stage.engine.reading = lambda request, before: " ".join(request.text.split()[: -cut[before % 3] * 2])
    project = stage.projects.create(book([TEXTS["en"]]))
    run(stage, project)
    row = project.row("s1")
    assert (row.state.value, len(row.segment.takes)) == ("flagged", 3)
    assert row.take == row.segment.takes[1]
    assert stage.runner.status(project.id).flagged == 1
    run(stage, project)
    assert len(stage.engine.seen) == 3  # what was tried three times is left to a person
    run(stage, project, Scope(ScopeKind.FLAGGED))
    assert len(stage.engine.seen) == 6


def test_chinese_homophones_pass(stage: Stage) -> None:
    stage.engine.reading = lambda request, _before: request.text.replace("他的", "她得").replace("在", "再")
    project = stage.projects.create(book([TEXTS["zh"]]))
    run(stage, project)
    assert states(project) == ["ready"]
    assert len(stage.engine.seen) == 1


def test_a_person_finds_a_difference_right_and_it_stays_so(stage: Stage) -> None:
    stage.engine.reading = lambda request, _before: request.text.replace("lit the lamp", "sang a lot of songs")
    project = stage.projects.create(book([TEXTS["en"]]))
    run(stage, project)
    row = project.row("s1")
    assert row.take is not None
    assert row.take.check is not None
    take_id = row.take.id
    assert row.take.check.differences
    project.edit("accept", lambda before: editing.accepted(before, "s1", take_id))
    assert states(project) == ["ready"]
    run(stage, project, Scope(ScopeKind.SEGMENTS, segments=("s1",), again=1))
    newest = project.segment("s1").takes[-1]
    assert newest.check is not None
    assert newest.check.flags == ()


def test_without_a_check_nothing_is_transcribed(tmp_path: Path) -> None:
    for mode, asked in ((CheckMode.OFF, 0), (CheckMode.FLAGGED, 0), (CheckMode.ALL, 7)):
        stage = Stage(tmp_path / mode.value, check=mode)
        project = made_of(stage)
        run(stage, project)
        assert stage.ears.asked == asked
        stage.close()


def test_what_looks_wrong_is_transcribed_where_not_all_is(tmp_path: Path) -> None:
    stage = Stage(tmp_path, check=CheckMode.FLAGGED)
    stage.engine.reading = lambda request, before: request.text if before else "Cut."
    project = stage.projects.create(book(sentences(1), ["Yes."]))
    run(stage, project)
    assert [len(segment.takes) for segment in project.project.segments] == [2, 2]
    assert stage.ears.asked == 3  # the cut one, and the tiny one each time
    stage.close()


def test_stop_ends_after_the_segment_and_the_next_run_goes_on(stage: Stage) -> None:
    project = made_of(stage)
    stage.engine.go.clear()
    stage.runner.start(project.id, Scope())
    with pytest.raises(RunInProgress):
        stage.runner.start(project.id, Scope())
    wait_until(lambda: stage.engine.seen)
    assert states(project)[0] == "making"
    assert stage.runner.stop(project.id).state is RunState.STOPPING
    stage.engine.go.set()
    assert stage.runner.wait(project.id).state is RunState.STOPPED
    assert states(project) == ["ready", *["waiting"] * 6]
    assert stage.jobs.jobs()[0].state is JobState.CANCELLED
    stage.runner.resume(project.id)
    assert stage.runner.wait(project.id).state is RunState.DONE
    assert len(stage.engine.seen) == 7


def test_the_job_is_cancelled_like_any_other(stage: Stage) -> None:
    project = made_of(stage)
    stage.engine.go.clear()
    stage.runner.start(project.id, Scope())
    wait_until(lambda: stage.engine.seen)
    stage.jobs.cancel(stage.jobs.jobs()[0].key)
    stage.engine.go.set()
    assert stage.runner.wait(project.id).state is RunState.STOPPED
    assert len(stage.engine.seen) == 1


@pytest.mark.parametrize(("policy", "count"), [(ResumePolicy.AUTO, 7), (ResumePolicy.ASK, 1), (ResumePolicy.OFF, 1)])
def test_the_next_app_goes_on_as_it_is_told(tmp_path: Path, policy: ResumePolicy, count: int) -> None:
    stage = Stage(tmp_path)
    project = made_of(stage)
    stage.engine.go.clear()
    stage.runner.start(project.id, Scope())
    wait_until(lambda: stage.engine.seen)
    stage.runner.close()  # as the app ends; the take that is being made is dropped
    stage.close()
    assert list((tmp_path / "outputs").iterdir()) == []
    later = Stage(tmp_path)
    later.runner.take_up(policy)
    expected = {ResumePolicy.AUTO: RunState.DONE}.get(policy, RunState.STOPPED)
    assert later.runner.wait(project.id).state is expected
    assert len(later.engine.seen) == (count if policy is ResumePolicy.AUTO else 0)
    later.close()


def test_what_a_person_stopped_does_not_go_on_by_itself(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    project = made_of(stage)
    stage.engine.go.clear()
    stage.runner.start(project.id, Scope())
    wait_until(lambda: stage.engine.seen)
    stage.runner.stop(project.id)
    stage.engine.go.set()
    stage.runner.wait(project.id)
    stage.close()
    later = Stage(tmp_path)
    later.runner.take_up(ResumePolicy.AUTO)
    assert later.runner.wait(project.id).state is RunState.STOPPED
    later.close()


def test_a_segment_that_fails_does_not_stop_the_run(stage: Stage) -> None:
    stage.engine.fails = lambda request: "letter ba" in request.text
    project = made_of(stage)
    assert run(stage, project) is RunState.DONE
    assert states(project) == ["ready", "failed", *["ready"] * 5]
    failure = project.segment("s2").failure
    assert failure is not None
    assert failure.code == "engine_failed"
    assert stage.runner.status(project.id).failed == 1


def test_five_failures_in_a_row_end_it_with_the_cause(stage: Stage) -> None:
    stage.engine.fails = lambda request: "letter aa" not in request.text
    project = made_of(stage, 9)
    assert run(stage, project) is RunState.FAILED
    assert states(project) == ["ready", *["failed"] * 5, *["waiting"] * 4]
    status = stage.runner.status(project.id)
    assert (status.code, stage.jobs.jobs()[0].code) == ("engine_failed", "engine_failed")
    assert "told to break" in status.message
    stage.engine.fails = lambda _request: False
    stage.runner.resume(project.id)
    assert stage.runner.wait(project.id).state is RunState.DONE
    assert states(project) == ["ready"] * 10


def test_projects_are_made_one_after_the_other(stage: Stage) -> None:
    first, second = made_of(stage, 2), made_of(stage, 2)
    stage.engine.go.clear()
    stage.runner.start(first.id, Scope())
    wait_until(lambda: stage.engine.seen)
    assert stage.runner.start(second.id, Scope()).state is RunState.WAITING
    stage.engine.go.set()
    assert stage.runner.wait(first.id).state is RunState.DONE
    assert stage.runner.wait(second.id).state is RunState.DONE
    voices = [request.text for request in stage.engine.seen]
    assert voices == [segment.text for one in (first, second) for segment in one.project.segments]


class DesigningEngine(ReaderEngine):
    def capabilities(self, voice: str | None = None) -> Capabilities:
        return replace(super().capabilities(voice), can_design=True, supports_instruct=True)


def test_a_voice_that_would_be_another_person_each_time_is_refused(tmp_path: Path) -> None:
    stage = Stage(tmp_path, DesigningEngine())
    project = made_of(stage)
    with pytest.raises(DesignNotLocked, match="Lock it first"):
        stage.runner.start(project.id, Scope())
    gone = made_of(stage, defaults=Delivery(voice="fake/gone"))
    with pytest.raises(UnknownVoice):
        stage.runner.start(gone.id, Scope())
    assert stage.engine.seen == []
    stage.close()


def test_several_are_made_at_once_where_the_engine_allows_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ReaderEngine(slots=4))
    stage.engine.go.clear()
    project = made_of(stage)
    stage.runner.start(project.id, Scope())
    wait_until(lambda: len(stage.engine.seen) == 3)
    assert states(project).count("making") == 3
    person = stage.synthesis.speak(SynthesisRequest("Hello there."))
    assert isinstance(next(person), Started)  # nobody waits for the book
    stage.engine.go.set()
    collect(person)
    assert stage.runner.wait(project.id).state is RunState.DONE
    assert len(stage.engine.seen) == 8
    stage.close()


def test_a_person_interrupts_the_book_and_it_goes_on_with_the_same_seed(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    project = made_of(stage)
    stage.engine.go.clear()
    stage.runner.start(project.id, Scope())
    wait_until(lambda: stage.engine.seen)
    person = stage.synthesis.speak(SynthesisRequest("Hello there."))
    assert next(person) == Queued(1)
    assert isinstance(next(person), Started)  # the book gave way without having been let go on
    stage.engine.go.set()
    assert collect(person).stop_reason is StopReason.COMPLETE
    assert stage.runner.wait(project.id).state is RunState.DONE
    book_seeds = [request.seed for request in stage.engine.seen if "keeper" in request.text]
    assert book_seeds[0] == book_seeds[1] == take_seed(5, "s1", 1)
    assert states(project) == ["ready"] * 7
    assert len(project.segment("s1").takes) == 1
    stage.close()


def test_a_voice_is_prepared_while_a_book_is_made(stage: Stage) -> None:
    stage.jobs.add_work(JobKind.CLONE_PREPARE, lambda _run: {})
    stage.engine.go.clear()
    project = made_of(stage)
    stage.runner.start(project.id, Scope())
    wait_until(lambda: stage.engine.seen)
    prepared = stage.jobs.submit(JobKind.CLONE_PREPARE, "voice")
    wait_until(lambda: stage.jobs.job(prepared.key).state is JobState.DONE)
    assert stage.runner.status(project.id).state is RunState.RUNNING


def test_no_text_is_in_logs_or_jobs(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    stage.engine.fails = lambda request: "letter ba" in request.text
    project = made_of(stage)
    run(stage, project)
    assert "keeper" not in caplog.text
    assert "keeper" not in repr(stage.jobs.jobs())
    assert "keeper" not in repr(stage.runner.status(project.id))
