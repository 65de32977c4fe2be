"""What the Speak tab does, without a browser: forms in, views out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.fakes import CHUNK_SAMPLES, FakeEngine
from tts_core.domain.errors import EngineFailed, InvalidChoice, InvalidRequest, InvalidValue, UnknownVoice
from tts_core.domain.events import Loading
from tts_core.domain.values import ReadAs, Sampling
from tts_core.platform.job import JobState
from tts_core.platform.jobs import Jobs
from tts_core.platform.settings.studio import Limits, Settings
from tts_core.services import build_services
from tts_core.speech.faults import EmptyText
from tts_core.speech.live import LiveStreams
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis
from tts_core.speech.takes import Outputs
from tts_core.ui.speak.handler import SpeakHandler, SpeakView
from tts_core.ui.widgets.forms import SpeakForm
from tts_core.ui.words import load_words
from tts_core.voices.finder import VoiceFinder


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def live() -> LiveStreams:
    return LiveStreams()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path / "jobs.json")
    jobs.restore()
    yield jobs
    jobs.close()


@pytest.fixture
def handler(engine: FakeEngine, jobs: Jobs, live: LiveStreams, tmp_path: Path) -> SpeakHandler:
    synthesis = Synthesis((engine,), SpeechQueue(4), Outputs(tmp_path, Limits()), Limits())
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data")}))
    finder = VoiceFinder(synthesis, services.voices, services.voice_models)
    return SpeakHandler(synthesis, finder, jobs, live, load_words("en"))


def form(text: str = "hello", voice: str = "fake/tone", seed: float = 7.0, top_k: float = 50.0) -> SpeakForm:
    return SpeakForm(
        text=text,
        voice=voice,
        language="auto",
        instruct="",
        speed=1,
        format="wav",
        max_seconds=0,
        seed=seed,
        temperature=0.9,
        top_k=top_k,
        top_p=1.0,
        repetition_penalty=1.05,
        predictor_temperature=0.9,
        predictor_top_k=50,
        predictor_top_p=1.0,
    )


def last(views: Iterator[SpeakView]) -> SpeakView:
    *_, view = views
    return view


def test_a_form_becomes_a_request_with_whole_numbers_where_they_are_meant() -> None:
    request = form(seed=7.0, top_k=20.0).to_request()
    assert request.seed == 7
    assert request.sampling == Sampling(top_k=20)
    assert isinstance(request.sampling.top_k, int)


def test_a_forms_text_is_read_as_its_choice_says_and_odd_values_are_named() -> None:
    assert SpeakForm("a").to_request().read_as is ReadAs.MARKDOWN
    assert SpeakForm("a", read_as="plain").to_request().read_as is ReadAs.PLAIN
    with pytest.raises(InvalidChoice, match="markdown, plain"):
        SpeakForm("a", read_as="html").to_request()
    with pytest.raises(InvalidRequest, match="seed"):
        SpeakForm("a", seed=float("inf")).to_request()


def test_null_means_the_default() -> None:
    nothing = SpeakForm("hello", *[None] * 15)  # type: ignore[arg-type]
    assert nothing.to_request() == SpeakForm("hello").to_request()


@pytest.mark.parametrize(("asked", "limit"), [(0, None), (0.05, 0.1), (2, 2), (3600, 3600)])
def test_every_length_from_nought_to_an_hour_is_taken(asked: float, limit: float | None) -> None:
    assert SpeakForm("a", max_seconds=asked).to_request().max_seconds == limit


@pytest.mark.parametrize("asked", [-1, 3601, float("nan")])
def test_another_length_is_refused_with_the_range_that_is_taken(asked: float) -> None:
    with pytest.raises(InvalidValue) as refused:
        SpeakForm("a", max_seconds=asked).to_request()
    assert refused.value.params == {"name": "max_seconds", "low": 0, "high": 3600}


def test_a_value_out_of_range_is_named() -> None:
    with pytest.raises(InvalidValue, match="top_k"):
        form(top_k=0).to_request()


def test_a_run_shows_the_player_before_the_end_and_the_facts_at_the_end(handler: SpeakHandler) -> None:
    views = list(handler.run(form(), "me"))
    players = [index for index, view in enumerate(views) if view.live]
    assert players == [0]
    assert views[-1].details is not None
    assert views[-1].details["seed"] == 7
    assert views[-1].details["duration_seconds"] == pytest.approx(0.5)
    assert views[-1].take is not None
    assert views[-1].take.path.is_file()


def test_a_model_that_loads_is_named_with_its_percent(handler: SpeakHandler, engine: FakeEngine) -> None:
    engine.loading = (Loading("Big Model", 0, 200), Loading("Big Model", 150, 200))
    views = [view for view in handler.run(form(), "me") if view.status and "Big Model" in view.status]
    assert [(view.status, view.percent) for view in views] == [
        ("Loading Big Model …", None),  # a load of which nothing is known yet does not stand at 0 %
        ("Loading Big Model … 75 %", 75),
    ]


def test_the_live_stream_holds_every_sample_and_ends_with_the_run(handler: SpeakHandler, live: LiveStreams) -> None:
    (stream,) = [view.live for view in handler.run(form("four"), "me") if view.live]
    assert live.get(stream.id) is stream
    assert stream.is_closed
    assert len(b"".join(stream.read())) == 2 * 4 * CHUNK_SAMPLES


def test_stop_ends_the_sessions_run_and_keeps_what_was_made(handler: SpeakHandler, engine: FakeEngine) -> None:
    run = handler.run(form("a long text"), "me")
    next(view for view in run if view.live)
    next(run)
    assert handler.stop("me")
    view = last(run)
    assert view.details is not None
    assert view.details["stop_reason"] == "cancelled"
    assert not handler.stop("me")


def test_stop_reaches_only_the_session_that_asked(handler: SpeakHandler) -> None:
    run = handler.run(form("hello"), "me")
    next(run)
    assert not handler.stop("somebody else")
    view = last(run)
    assert view.details is not None
    assert view.details["stop_reason"] == "complete"


def test_a_failed_run_leaves_the_session_free_for_the_next(handler: SpeakHandler) -> None:
    with pytest.raises(UnknownVoice):
        last(handler.run(form(voice="fake/nobody"), "me"))
    assert not handler.stop("me")
    assert last(handler.run(form(), "me")).details is not None


def test_a_run_is_a_job_that_tells_everything_but_the_text(
    handler: SpeakHandler, jobs: Jobs, engine: FakeEngine, tmp_path: Path
) -> None:
    run = handler.run(form("sesame"), "me")
    next(view for view in run if view.live)
    (job,) = jobs.jobs()
    assert (job.kind.value, job.subject, job.state) == ("synthesis", "fake/tone", JobState.RUNNING)
    view = last(run)
    (job,) = jobs.jobs()
    assert (job.state, job.progress) == (JobState.DONE, 100)
    assert job.result == {
        "voice_id": "fake/tone",
        "language": "auto",
        "format": "wav",
        "sample_rate": 24_000,
        "duration_seconds": pytest.approx(0.6),
        "seed": 7,
        "stop_reason": "complete",
    }
    kept = (tmp_path / "jobs.json").read_text(encoding="utf-8")
    assert "sesame" not in kept
    assert view.take is not None
    assert view.take.id not in kept + repr(job), "who knows the file's name can hear what was said"
    again = Jobs(tmp_path / "jobs.json")
    again.restore()
    assert [kept.result for kept in again.jobs()] == [job.result]


def test_cancelling_the_job_stops_the_page_and_keeps_what_was_made(handler: SpeakHandler, jobs: Jobs) -> None:
    run = handler.run(form("a long text"), "me")
    next(view for view in run if view.live)
    next(run)
    (job,) = jobs.jobs()
    jobs.cancel(job.key)
    view = last(run)
    assert view.details is not None
    assert view.details["stop_reason"] == "cancelled"
    assert view.take is not None
    assert view.take.path.is_file()
    assert jobs.job(job.key).state is JobState.CANCELLED


def test_stopping_failing_and_leaving_are_told_in_the_job(
    handler: SpeakHandler, jobs: Jobs, engine: FakeEngine
) -> None:
    run = handler.run(form("a long text"), "me")
    next(view for view in run if view.live)
    next(run)
    handler.stop("me")
    last(run)
    engine.fail_at = 0
    with pytest.raises(EngineFailed):
        last(handler.run(form(), "me"))
    engine.fail_at = None
    left = handler.run(form(), "me")
    next(view for view in left if view.live)
    assert isinstance(left, Generator)
    left.close()  # as Gradio does when the page is closed
    assert [job.state for job in jobs.jobs()] == [JobState.CANCELLED, JobState.ERROR, JobState.CANCELLED]
    assert jobs.jobs()[1].code == "engine_failed"


def test_a_run_that_waits_says_its_place_and_a_killed_app_says_so(
    handler: SpeakHandler, jobs: Jobs, tmp_path: Path
) -> None:
    first, second = handler.run(form("first"), "me"), handler.run(form("second"), "somebody else")
    next(view for view in first if view.live)
    next(second)
    job = jobs.jobs()[0]
    assert (job.state, job.phase, job.position) == (JobState.WAITING, "queued", 1)
    after_a_kill = Jobs(tmp_path / "jobs.json")
    after_a_kill.restore()
    assert {job.state for job in after_a_kill.jobs()} == {JobState.INTERRUPTED}
    last(first)
    last(second)
    assert {(job.state, job.position) for job in jobs.jobs()} == {(JobState.DONE, 0)}


def test_what_is_refused_is_no_job(handler: SpeakHandler, jobs: Jobs) -> None:
    with pytest.raises(UnknownVoice):
        last(handler.run(form(voice="fake/nobody"), "me"))
    with pytest.raises(EmptyText):
        last(handler.run(form(" "), "me"))
    assert jobs.jobs() == ()
