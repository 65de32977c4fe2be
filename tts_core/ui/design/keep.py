"""The part of the Design tab that keeps a voice by what it has just said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.domain.values import ReadAs, StopReason
from tts_core.services import Services
from tts_core.speech.plan.plan import words_of
from tts_core.ui.clone import view as clone_view
from tts_core.ui.clone.handler import CloneHandler
from tts_core.ui.speak.player import Player
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.scripts import ACTIONS
from tts_core.ui.words import Words
from tts_core.voices.library import NewVoice

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeepPanel:
    panel: gr.Column
    note: gr.HTML
    name: gr.Textbox
    model: gr.Dropdown
    button: gr.Button
    status: gr.HTML
    spoken: gr.State
    """The description, text and language of the take, as they were when Generate was pressed."""


def render(words: Words) -> KeepPanel:
    with gr.Column(visible=False, elem_classes="studio-keep", elem_id="design-keep") as panel:
        gr.HTML(
            f"<h2>{words('keep.title')}</h2><p>{words('keep.intro')}</p>", js_on_load=None, elem_classes="studio-step"
        )
        note = gr.HTML(js_on_load=None)
        with gr.Row():
            name = gr.Textbox(
                value="",
                label=words("save.name"),
                placeholder=words("keep.name"),
                max_length=100,
                elem_id="design-name",
            )
            model = gr.Dropdown([], label=words("clone.model"), elem_id="design-keep-model")
        button = gr.Button(words("keep.button"), elem_id="design-keep-run")
        status = gr.HTML(js_on_load=ACTIONS, elem_id="design-kept")
    return KeepPanel(panel, note, name, model, button, status, gr.State(()))


def wire(
    keep: KeepPanel,
    sound: Player,
    inputs: list[Any],
    generate: Callable[[], gr.events.Dependency],
    services: Services,
    words: Words,
) -> None:
    """Wire the panel. `inputs`: the widgets of description, text, language and how the text is read; what was said is
    remembered at the click.

    `generate` wires the button's own work. It comes after, for Gradio starts one listener of a click after the other.
    """
    handler = CloneHandler(services)

    def offer(details: Mapping[str, Any] | None) -> list[Any]:
        """Offer to keep the take, if it says the whole text: no other can be cloned from."""
        is_whole = (details or {}).get("stop_reason") == StopReason.COMPLETE.value
        models = handler.models()
        note = "" if models else fragments.note(words("keep.no_model"), words("speak.to_models"), "tab-models")
        choice = gr.update(choices=models, value=models[0][1] if models else None, interactive=bool(models))
        return [gr.update(visible=is_whole), note, choice, gr.update(interactive=bool(models))]

    sound.run.click(
        lambda description, text, language, read_as: [
            (description, words_of(text or "", ReadAs.named(read_as)), language),
            gr.update(visible=False),
            "",
        ],
        inputs,
        [keep.spoken, keep.panel, keep.status],
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    generate().success(
        offer,
        sound.details,
        [keep.panel, keep.note, keep.model, keep.button],
        api_visibility="private",
        show_progress="hidden",
    )

    keep.button.click(
        _keeper(services, handler, words),
        [keep.name, keep.model, sound.audio, keep.spoken],
        [keep.status, keep.button],
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
    )


def _keeper(services: Services, handler: CloneHandler, words: Words) -> Callable[..., Iterator[list[Any]]]:
    """The event that keeps the last take as a voice and shows how far its preparation is."""

    def keep_it(name: str, model: str | None, take: str | None, spoken: tuple[str, str, str]) -> Iterator[list[Any]]:
        yield [fragments.busy(words("save.saving")), gr.update(interactive=False)]
        try:
            if not name.strip() or take is None:
                yield [fragments.alert(words("save.refused"), words("save.name_missing")), gr.update(interactive=True)]
                return
            description, text, language = spoken
            new = NewVoice(name, model or "", language=language, ref_text=text, instruct=description)
            voice = services.voices.keep_design(Path(take), new)
            for job in handler.prepared(voice.id):
                yield [clone_view.saving(words, voice, job), gr.update(interactive=job.state.is_over)]
        except StudioError as error:
            yield [fragments.alert(words("save.refused"), words.error(error)), gr.update(interactive=True)]
        except Exception:  # the page's edge: the person gets a sentence, the log the stack
            logger.exception("Keeping a designed voice failed")
            alert = fragments.alert(words("save.refused"), words("error.internal_error"))
            yield [alert, gr.update(interactive=True)]

    return keep_it
