"""What the Speak tab does, without a browser: forms in, views out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import CHUNK_SAMPLES, FakeEngine
from tts_core.domain import Sampling
from tts_core.errors import InvalidValue, UnknownVoice
from tts_core.events import Loading
from tts_core.gate import Gate
from tts_core.live import LiveStreams
from tts_core.outputs import Outputs
from tts_core.settings import Limits
from tts_core.synthesis import Synthesis
from tts_core.ui.forms import SpeakForm
from tts_core.ui.speak_handlers import SpeakHandler, SpeakView
from tts_core.ui.words import load_words


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def live() -> LiveStreams:
    return LiveStreams()


@pytest.fixture
def handler(engine: FakeEngine, live: LiveStreams, tmp_path: Path) -> SpeakHandler:
    synthesis = Synthesis((engine,), Gate(4), Outputs(tmp_path, Limits()), Limits())
    return SpeakHandler(synthesis, live, load_words("en"), "live/")


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


def test_null_means_the_default() -> None:
    nothing = SpeakForm("hello", *[None] * 14)  # type: ignore[arg-type]
    assert nothing.to_request() == SpeakForm("hello").to_request()


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
    assert views[-1].audio is not None
    assert Path(views[-1].audio).is_file()


def test_a_model_that_loads_is_named_with_its_percent(handler: SpeakHandler, engine: FakeEngine) -> None:
    engine.loading = (Loading("Big Model", 0, 200), Loading("Big Model", 150, 200))
    statuses = [view.status for view in handler.run(form(), "me") if view.status and "Big Model" in view.status]
    assert [status.count(percent) for status, percent in zip(statuses, ("0 %", "75 %"), strict=True)] == [1, 1]


def test_the_live_stream_holds_every_sample_and_ends_with_the_run(handler: SpeakHandler, live: LiveStreams) -> None:
    players = [view.live for view in handler.run(form("four"), "me") if view.live]
    stream = live.get(players[0].split('data-src="live/')[1].split('"')[0])
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
