"""The candidates of the Design tab: a card for each, with its sound and the buttons that save it and lock its voice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.ui.clone import view as clone_view
from tts_core.ui.design import view
from tts_core.ui.design.candidates import COUNT, Designer, Lock, VoiceCandidate
from tts_core.ui.speak.player import WAVE
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.scripts import ACTIONS
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)

Candidates = tuple[VoiceCandidate, ...]


@dataclass(frozen=True, slots=True)
class Card:
    panel: gr.Column
    head: gr.HTML
    audio: gr.Audio
    save: gr.Button
    lock: gr.Button

    @property
    def outputs(self) -> list[Any]:
        return [self.panel, self.head, self.audio, self.save, self.lock]


@dataclass(frozen=True, slots=True)
class Keep:
    """The widgets that give a candidate its name."""

    panel: gr.Column
    note: gr.HTML
    fields: gr.Row
    name: gr.Textbox
    model: gr.Dropdown
    status: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.panel, self.note, self.fields, self.model]


@dataclass(frozen=True, slots=True)
class Cards:
    cards: Sequence[Card]
    keep: Keep | None
    """The name that a candidate is saved by; None on the page for guests, who keep nothing."""
    candidates: gr.State

    @property
    def outputs(self) -> list[Any]:
        """The widgets that show all candidates, for `all_shown`."""
        every = [self.candidates, *(output for card in self.cards for output in card.outputs)]
        return [*every, *(self.keep.outputs if self.keep else [])]


def render(words: Words) -> Cards:
    with gr.Row(equal_height=True, elem_classes="studio-candidates"):
        cards = [_render_card(words, number) for number in range(1, COUNT + 1)]
    keep = None if words.is_for_guests else _render_keep(words)
    return Cards(cards, keep, gr.State(()))


def _render_card(words: Words, number: int) -> Card:
    with gr.Column(min_width=260, visible=False, elem_classes="studio-candidate") as panel:
        head = gr.HTML(js_on_load=None)
        audio = gr.Audio(
            label=words("design.candidate", {"number": number}),
            show_label=False,
            type="filepath",
            interactive=False,
            autoplay=number == 1,
            buttons=["download"],
            waveform_options=WAVE,
            elem_id=f"design-candidate-{number}",
        )
        with gr.Row():
            save = gr.Button(words("save.button"), size="sm", min_width=100, elem_id=f"design-save-{number}")
            lock = gr.Button(words("design.lock"), size="sm", min_width=100, elem_id=f"design-lock-{number}")
    return Card(panel, head, audio, save, lock)


def _render_keep(words: Words) -> Keep:
    with gr.Column(visible=False, elem_classes="studio-keep", elem_id="design-keep") as panel:
        note = gr.HTML(js_on_load=None, elem_classes="studio-optional")
        with gr.Row() as fields:
            name = gr.Textbox(
                value="",
                label=words("save.name"),
                info=words("keep.name_info"),
                placeholder=words("keep.name"),
                max_length=100,
                elem_id="design-name",
            )
            model = gr.Dropdown([], label=words("clone.model"), info=words("keep.intro"), elem_id="design-keep-model")
        status = gr.HTML(js_on_load=ACTIONS, elem_id="design-kept", elem_classes="studio-optional")
    return Keep(panel, note, fields, name, model, status)


def all_shown(
    words: Words, candidates: Candidates, lock: Lock | None, models: list[tuple[str, str]], newest: int = 0
) -> list[Any]:
    """Updates for `Cards.outputs`. Only the sound of the candidate number `newest` is sent anew; 0: none."""
    updates: list[Any] = [candidates]
    for number in range(1, COUNT + 1):
        if number > len(candidates):
            updates += [gr.update(visible=False), *[gr.skip()] * 4]
            continue
        candidate = candidates[number - 1]
        is_locked = lock is not None and lock.candidate == candidate
        updates += [
            gr.update(visible=True),
            view.head(words, candidate, number, lock),
            str(candidate.take.path) if number == newest else gr.skip(),
            gr.update(visible=bool(models) and candidate.is_whole and not words.is_for_guests),
            gr.update(interactive=not is_locked),
        ]
    if words.is_for_guests:
        return updates
    note = "" if models else fragments.missing(words, "keep.no_model")
    choice = gr.update(choices=models, value=models[0][1] if models else None, visible=len(models) > 1)
    return [*updates, gr.update(visible=bool(candidates)), note, gr.update(visible=bool(models)), choice]


def width(words: Words) -> int:
    """The count of updates of `all_shown`."""
    return len(all_shown(words, (), None, []))


def wire_saving(cards: Cards, designer: Designer, words: Words) -> None:
    keep = cards.keep
    if keep is None:
        return
    buttons = [card.save for card in cards.cards]
    for place, button in enumerate(buttons):
        button.click(
            _saver(place, designer, words),
            [keep.name, keep.model, cards.candidates],
            [keep.status, keep.name, *buttons],
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=None,
        )


def _saver(place: int, designer: Designer, words: Words) -> Callable[..., Iterator[list[Any]]]:
    """The event that saves the candidate at `place` and shows how far its preparation is."""

    def answer(status: str, *, is_over: bool, name: Any = gr.skip()) -> list[Any]:  # noqa: B008 - a constant
        return [status, name, *[gr.update(interactive=is_over)] * COUNT]

    def save(name: str, model: str | None, candidates: Candidates) -> Iterator[list[Any]]:
        if place >= len(candidates):
            return
        yield answer(fragments.busy(words("save.saving")), is_over=False)
        try:
            for voice, job in designer.keep(candidates[place], name, model):
                is_over = job.state.is_over
                yield answer(clone_view.saving(words, voice, job), is_over=is_over, name="" if is_over else gr.skip())
        except StudioError as error:
            yield answer(fragments.alert(words("save.refused"), words.error(error)), is_over=True)
        except Exception:  # the page's edge: the person gets a sentence, the log the stack
            logger.exception("Saving a designed voice failed")
            yield answer(fragments.alert(words("save.refused"), words("error.internal_error")), is_over=True)

    return save
