"""Candidates on the Design tab, without a browser: three seeds one after the other, stopping, saving, the lock."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.fakes import LANGUAGES, FakeEngine
from tts_core.domain.errors import EngineFailed, InvalidValue, ModelNotReady
from tts_core.domain.values import Capabilities, ReadAs, Recording, StopReason
from tts_core.platform.settings.studio import Limits
from tts_core.services import Services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis
from tts_core.ui.design.candidates import Designer, Lock, VoiceCandidate
from tts_core.ui.design.cards import all_shown
from tts_core.ui.design.making import Making
from tts_core.ui.design.view import lock_line
from tts_core.ui.widgets.forms import DesignForm
from tts_core.ui.words import load_words

EN = load_words("en")
FORM = DesignForm("A calm, deep voice.", "**Hello** there.", language="en", seed=7, read_as=ReadAs.MARKDOWN.value)
BASE = "base_0_6b"


class Sketch(FakeEngine):
    """Follows descriptions, and clones."""

    def capabilities(self, voice: str | None = None) -> Capabilities:
        is_clone = (voice or "").startswith(BASE)
        return Capabilities(LANGUAGES, supports_instruct=True, can_design=not is_clone, can_clone=is_clone)


@dataclasses.dataclass(frozen=True)
class Studio:
    services: Services
    engine: Sketch
    cloning: Sketch
    designer: Designer


@pytest.fixture
def studio(services: Services) -> Studio:
    engine, cloning = Sketch("sketch", speakers=("Design",)), Sketch(BASE, speakers=("Clone",))
    synthesis = Synthesis([engine, cloning], SpeechQueue(8), services.outputs, Limits())
    services = dataclasses.replace(services, synthesis=synthesis)
    return Studio(services, engine, cloning, Designer(services, EN))


def made(studio: Studio, form: DesignForm = FORM, lock: Lock | None = None) -> list[VoiceCandidate]:
    return [step.made for step in studio.designer.run(form, lock, "me") if step.made is not None]


def with_a_base_model(studio: Studio) -> None:
    folder = studio.services.settings.paths.models_dir / "Qwen3-TTS-12Hz-0.6B-Base"
    write_checkpoint(folder, kind="base", geometry="a")


def test_three_candidates_come_one_after_the_other_with_seeds_of_their_own(studio: Studio) -> None:
    steps = list(studio.designer.run(FORM, None, "me"))
    order = [step.number for step in steps]
    assert order == sorted(order)
    found = [step.made for step in steps if step.made is not None]
    assert [candidate.form.seed for candidate in found] == [7, 1007, 2007]
    assert [request.seed for request in studio.engine.seen] == [7, 1007, 2007]
    assert {request.instruct for request in studio.engine.seen} == {FORM.description}
    assert [(candidate.text, candidate.is_whole) for candidate in found] == [("Hello there.", True)] * 3
    assert all(step.status for step in steps if step.made is None)
    new = made(studio, dataclasses.replace(FORM, seed=-1))
    assert len({candidate.take.seed for candidate in new} - {None}) == 3
    assert len(studio.services.jobs.jobs()) == 6, "each can be seen and cancelled like any other speech"


def test_stopping_leaves_out_what_is_being_made_and_what_would_follow(studio: Studio) -> None:
    found = []
    for step in studio.designer.run(FORM, None, "me"):
        if step.made is not None:
            found.append(step.made)
        elif step.number == 2:
            studio.designer.stop("me")
    assert [candidate.form.seed for candidate in found] == [7]
    assert len(studio.engine.seen) == 2


def test_a_failure_keeps_the_candidates_before_it(studio: Studio) -> None:
    steps = studio.designer.run(FORM, None, "me")
    first = next(step.made for step in steps if step.made is not None)
    studio.engine.fail_at = 1
    with pytest.raises(EngineFailed):
        list(steps)
    assert first.take.path.is_file()
    with pytest.raises(InvalidValue):
        made(studio, dataclasses.replace(FORM, seed=2**32))


def test_without_a_model_that_designs_it_says_so(services: Services) -> None:
    with pytest.raises(ModelNotReady):
        list(Designer(services, EN).run(FORM, None, "me"))


def test_a_lock_clones_the_candidate_where_a_base_model_is(studio: Studio) -> None:
    with_a_base_model(studio)
    candidate = made(studio)[1]
    lock = studio.designer.lock(candidate, 2)
    assert lock.model == BASE
    (take,) = made(studio, dataclasses.replace(FORM, text="Another text.", description="Changed."), lock)
    assert take.take.voice.id == f"{BASE}/clone"
    source = studio.cloning.seen[0].source
    assert isinstance(source, Recording)
    assert (source.path, source.transcript) == (Path(candidate.take.path), "Hello there.")
    assert studio.cloning.seen[0].text == "Another text."
    assert "0.6B Base" in lock_line(EN, lock, {BASE: "0.6B Base"})


def test_a_lock_without_a_base_model_repeats_description_and_seed_and_says_what_that_means(studio: Studio) -> None:
    candidate = made(studio)[1]
    lock = studio.designer.lock(candidate, 2)
    assert lock.model is None
    made(studio, dataclasses.replace(FORM, text="Another text.", description="Changed.", seed=5), lock)
    request = studio.engine.seen[-1]
    assert (request.text, request.instruct, request.seed) == ("Another text.", FORM.description, 1007)
    assert len(studio.engine.seen) == 4
    line = lock_line(EN, lock, {})
    assert "1007" in line
    assert "can change with the text" in line
    unfinished = dataclasses.replace(
        candidate, take=dataclasses.replace(candidate.take, stop_reason=StopReason.RUNAWAY)
    )
    assert "does not speak its text to the end" in lock_line(EN, studio.designer.lock(unfinished, 2), {})
    assert lock_line(EN, None, {}) == ""


def test_a_candidate_is_named_after_its_description_and_never_like_another_voice(studio: Studio) -> None:
    with_a_base_model(studio)
    candidate = made(studio)[0]
    assert studio.designer.name_for(candidate) == "A calm, deep voice"
    for name, expected in (("", "A calm, deep voice"), (" ", "A calm, deep voice 2"), ("Calm", "Calm")):
        voice, _ = next(studio.designer.keep(candidate, name, BASE))
        assert (voice.name, voice.ref_text, voice.instruct) == (expected, "Hello there.", FORM.description)
    long = dataclasses.replace(FORM, description="Unusually long words about nothing in particular at all")
    assert studio.designer.name_for(VoiceCandidate(long, candidate.take)) == "Unusually long words about nothing in"


def visible(update: Any) -> bool | None:
    return update.get("visible") if isinstance(update, dict) else None


def test_what_can_not_be_saved_offers_no_button(studio: Studio) -> None:
    candidates = tuple(made(studio))
    panel, _, audio, save, lock = all_shown(EN, candidates, None, [], newest=1)[1:6]
    assert (visible(panel), visible(save), audio) == (True, False, str(candidates[0].take.path))
    assert lock["interactive"] is True
    *_, keep, note, fields, _ = all_shown(EN, candidates, None, [])
    assert (visible(keep), visible(fields)) == (True, False)
    assert "tab-models" in note
    shown = all_shown(EN, candidates, studio.designer.lock(candidates[0], 1), [("Base", BASE)])
    assert (visible(shown[4]), shown[5]["interactive"]) == (True, False)
    assert EN("design.locked") in shown[2]
    assert not any("tab-models" in str(update) for update in all_shown(load_words("zh"), (), None, [("Base", BASE)]))


def test_the_page_shows_progress_each_candidate_and_the_end(studio: Studio) -> None:
    request = gr.Request(session_hash="me")
    values = [*dataclasses.astuple(FORM), None]
    answers = list(Making(studio.designer, studio.services, EN).press(request, *values))
    assert len({len(answer) for answer in answers}) == 1
    said = [answer[0] for answer in answers if isinstance(answer[0], str)]
    assert any("Candidate 2 of 3" in status for status in said)
    assert "3 candidates are ready" in said[-1]
    assert [answers[0][number]["interactive"] for number in (1, 2)] == [False, True]
    assert [answers[-1][number]["interactive"] for number in (1, 2)] == [True, False]
    counts = [len(answer[6]) for answer in answers if isinstance(answer[6], tuple)]
    assert counts == [1, 2, 3]
    studio.engine.fail_at = 0
    failed = list(Making(studio.designer, studio.services, EN).press(request, *values))[-1]
    assert 'role="alert"' in failed[0]
    assert failed[1]["interactive"] is True
    assert not isinstance(failed[6], tuple), "earlier candidates stay"
