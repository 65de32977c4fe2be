"""The part of the Clone tab that keeps a recording as a voice: its name, whether it may be used, how far it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.services import Services
from tts_core.ui.clone import view as clone_view
from tts_core.ui.clone.handler import CloneHandler, Desk
from tts_core.ui.endpoints.voices import voice_facts
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import OWN_VOICE, OWNER_AGREED, SaveForm, form_event
from tts_core.ui.widgets.scripts import ACTIONS, CLEAR_ALERT
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SavePanel:
    """The widgets of SaveForm carry its field names; the others are the tab's."""

    name: gr.Textbox
    consent: gr.Radio
    consent_note: gr.Textbox
    button: gr.Button
    status: gr.HTML
    saved: gr.JSON


def consent_widgets(words: Words, tab_id: str) -> tuple[gr.Radio, gr.Textbox]:
    """The widgets that ask whether a recorded voice may be used; one click for one's own."""
    consent = gr.Radio(
        [(words("consent.own"), OWN_VOICE), (words("consent.agreed"), OWNER_AGREED)],
        label=words("consent.label"),
        info=words("consent.info"),
        elem_id=f"{tab_id}-consent",
    )
    note = gr.Textbox(
        value="",
        label=words("consent.note"),
        placeholder=words("consent.note_placeholder"),
        max_length=500,
        visible=False,
        elem_id=f"{tab_id}-consent-note",
    )
    consent.input(
        lambda chosen: gr.update(visible=chosen == OWNER_AGREED),
        consent,
        note,
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    return consent, note


def render(words: Words) -> SavePanel:
    gr.HTML(
        f"<h2>{words('clone.step_save')}</h2><p>{words('save.intro')}</p>", js_on_load=None, elem_classes="studio-step"
    )
    name = gr.Textbox(
        value="",
        label=words("save.name"),
        placeholder=words("save.name_placeholder"),
        max_length=100,
        elem_id="clone-name",
    )
    consent, note = consent_widgets(words, "clone")
    button = gr.Button(words("save.button"), variant="primary", elem_id="clone-save")
    status = gr.HTML(label="progress", js_on_load=ACTIONS, elem_id="clone-saved")
    return SavePanel(name, consent, note, button, status, gr.JSON(visible=False, label="voice"))


def wire(panel: SavePanel, bundle: Any, services: Services, handler: CloneHandler, words: Words) -> None:
    """`bundle` holds the form's other widgets under its field names."""

    def save(form: SaveForm, _request: gr.Request) -> Iterator[list[Any]]:
        yield [None, fragments.busy(words("save.saving")), gr.update(interactive=False)]
        try:
            if not form.name.strip():
                yield from _refused(words, words("save.name_missing"))
            voice = handler.save(form, form.desk or Desk())
            for job in handler.prepared(voice.id):
                is_over = gr.update(interactive=True) if job.state.is_over else gr.skip()
                voice = services.voices.voice(voice.id)
                yield [voice_facts(voice), clone_view.saving(words, voice, job), is_over]
        except StudioError as error:
            yield from _refused(words, words.error(error))
        except gr.Error:
            raise
        except Exception:  # the page's edge: the person gets a sentence, the log the stack
            logger.exception("Saving a voice failed")
            yield from _refused(words, words("error.internal_error"))

    for changed in _causes(panel, bundle):
        changed(None, panel.status, panel.status, js=CLEAR_ALERT, api_visibility="private", show_progress="hidden")
    inputs = [getattr(panel if hasattr(panel, item.name) else bundle, item.name) for item in fields(SaveForm)]
    panel.button.click(
        form_event(SaveForm, save, "save_voice"),
        inputs,
        [panel.saved, panel.status, panel.button],
        api_name="save_voice",
        concurrency_limit=None,
        show_progress="hidden",
    )


def _causes(panel: SavePanel, bundle: Any) -> list[Any]:
    """The events after which a refusal may have lost its cause."""
    causes = (panel.name, panel.consent, bundle.transcript, bundle.mode, bundle.model, bundle.file)
    return [widget.change for widget in causes]


def _refused(words: Words, message: str) -> Iterator[list[Any]]:
    """Show a refusal: on the page by the status, to programs by the error."""
    yield [None, fragments.alert(words("save.refused"), message), gr.update(interactive=True)]
    raise gr.Error(message, visible=False, print_exception=False)
