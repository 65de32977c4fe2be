"""The lexicon editor below the Speak tab: a table of all entries, and a form for one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.domain.errors import InvalidRequest, StudioError
from tts_core.services import Services
from tts_core.speech.plan.store import LexiconState
from tts_core.ui.speak.lexicon_handler import LANGUAGES, NEW, EntryForm, LexiconDesk, table
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class LexiconPanel:
    table: gr.HTML
    revision: gr.State
    key: gr.Dropdown
    form: list[Any]
    """The widgets of EntryForm, in its order."""
    save: gr.Button
    delete: gr.Button
    sentence: gr.Textbox
    try_it: gr.Button
    tried: list[gr.Audio]
    files: gr.File
    export: list[gr.Button]
    exported: gr.File
    message: gr.HTML


def add(services: Services, words: Words, voice: gr.Dropdown) -> None:
    """Render and wire the editor; `voice` says who speaks when an entry is tried."""
    with gr.Accordion(words("lexicon.title"), open=False, elem_id="speak-lexicon") as fold:
        gr.HTML(fragments.hint(words("lexicon.info")), js_on_load=None)
        panel = _render(words)
    desk = LexiconDesk(services, words)
    _wire_entries(panel, fold, desk, words)
    _wire_trial(panel, voice, desk, words)
    _wire_files(panel, desk, words)


def _render(words: Words) -> LexiconPanel:
    shown = gr.HTML(js_on_load=None, elem_id="lexicon-table")
    key = gr.Dropdown([(words("lexicon.new"), NEW)], value=NEW, label=words("lexicon.entry"), elem_id="lexicon-entry")
    form = _render_form(words)
    with gr.Row(elem_classes="studio-actions"):
        save = gr.Button(words("lexicon.save"), variant="primary", size="sm", min_width=120, elem_id="lexicon-save")
        delete = gr.Button(words("lexicon.delete"), size="sm", min_width=120, elem_id="lexicon-delete")
    message = gr.HTML(js_on_load=None, elem_id="lexicon-message", elem_classes="studio-optional")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            sentence = gr.Textbox(
                label=words("lexicon.sentence"),
                placeholder=words("lexicon.sentence_placeholder"),
                elem_id="lexicon-try",
            )
            try_it = gr.Button(words("lexicon.try"), size="sm", min_width=120, elem_id="lexicon-try-run")
            tried = [
                gr.Audio(label=words(f"lexicon.{name}"), interactive=False, visible=False, elem_classes="studio-audio")
                for name in ("without", "with")
            ]
        with gr.Column(min_width=280):
            files = gr.File(
                label=words("lexicon.import"),
                file_types=[".csv", ".json", ".txt", ".tsv"],
                height=160,
                elem_id="lexicon-import",
            )
            with gr.Row(elem_classes="studio-actions"):
                export = [
                    gr.Button(words(f"lexicon.export_{kind}"), size="sm", min_width=120, elem_id=f"lexicon-{kind}")
                    for kind in ("csv", "json")
                ]
            exported = gr.File(label=words("lexicon.exported"), visible=False, interactive=False)
    return LexiconPanel(
        table=shown,
        revision=gr.State(0),
        key=key,
        form=form,
        save=save,
        delete=delete,
        sentence=sentence,
        try_it=try_it,
        tried=tried,
        files=files,
        export=export,
        exported=exported,
        message=message,
    )


def _render_form(words: Words) -> list[Any]:
    """The widgets of EntryForm, in its order."""
    languages = [(words("lexicon.everywhere"), ""), *((words(f"lexicon.language_{code}"), code) for code in LANGUAGES)]
    with gr.Row():
        term = gr.Textbox(label=words("lexicon.term"), min_width=160, elem_id="lexicon-term")
        reading = gr.Textbox(label=words("lexicon.reading"), min_width=160, elem_id="lexicon-reading")
        language = gr.Dropdown(
            languages, value="", label=words("lexicon.where"), min_width=160, allow_custom_value=True
        )
    with gr.Row():
        whole_word = gr.Checkbox(True, label=words("lexicon.whole_word"), min_width=140)
        match_case = gr.Checkbox(False, label=words("lexicon.match_case"), min_width=140)
    with gr.Row():
        voices = gr.Textbox(label=words("lexicon.voices"), info=words("lexicon.voices_info"), min_width=160)
        note = gr.Textbox(label=words("lexicon.note"), min_width=160)
        enabled = gr.Checkbox(True, label=words("lexicon.enabled"), min_width=100)
    return [term, reading, language, whole_word, match_case, voices, note, enabled]


def _wire_entries(panel: LexiconPanel, fold: gr.Accordion, desk: LexiconDesk, words: Words) -> None:
    shown = [panel.table, panel.revision, panel.key, *panel.form, panel.message]

    def show(state: LexiconState, message: str = "") -> list[Any]:
        choices = gr.update(choices=desk.choices(state), value=NEW)
        return [table(words, state), state.revision, choices, *EntryForm().values(), message]

    def opened() -> list[Any]:
        return show(desk.state())

    def choose(key: str | None, revision: int) -> list[Any]:
        try:
            return [*desk.form(key, revision).values(), ""]
        except StudioError as error:
            return [*EntryForm().values(), _alert(words, error)]

    def change(work: Callable[[], LexiconState], done: str) -> list[Any]:
        try:
            return show(work(), fragments.done(words(done)))
        except StudioError as error:
            return [*[gr.skip() for _ in shown[:-1]], _alert(words, error)]

    def save(key: str | None, revision: int, *values: Any) -> list[Any]:
        return change(lambda: desk.save(key, revision, EntryForm(*values)), "lexicon.saved")

    def delete(key: str | None, revision: int) -> list[Any]:
        return change(lambda: desk.delete(key, revision), "lexicon.deleted")

    at = [panel.key, panel.revision]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    fold.expand(opened, None, shown, queue=False, **quiet)
    panel.key.input(choose, at, [*panel.form, panel.message], queue=False, **quiet)
    panel.save.click(save, [*at, *panel.form], shown, **quiet)
    panel.delete.click(delete, at, shown, **quiet)
    panel.files.upload(lambda file: _taken_in(desk, words, file, show), panel.files, [*shown, panel.files], **quiet)


def _taken_in(desk: LexiconDesk, words: Words, file: Any, show: Callable[..., list[Any]]) -> list[Any]:
    try:
        state, count = desk.take_in(Path(str(file)))
    except OSError as error:
        return [*show(desk.state(), _alert(words, InvalidRequest(reason=str(error.strerror)))), None]
    except StudioError as error:
        return [*show(desk.state(), _alert(words, error)), None]
    return [*show(state, fragments.done(words("lexicon.imported", {"count": count}))), None]


def _wire_trial(panel: LexiconPanel, voice: gr.Dropdown, desk: LexiconDesk, words: Words) -> None:
    def try_it(sentence: str, voice_id: str | None, *values: Any) -> list[Any]:
        try:
            before, after = desk.tried(EntryForm(*values), sentence or "", voice_id)
        except StudioError as error:
            return [*[gr.update(visible=False) for _ in panel.tried], _alert(words, error)]
        return [gr.update(value=before, visible=True), gr.update(value=after, visible=True), ""]

    panel.try_it.click(
        try_it,
        [panel.sentence, voice, *panel.form],
        [*panel.tried, panel.message],
        api_visibility="private",
        show_progress="minimal",
    )


def _wire_files(panel: LexiconPanel, desk: LexiconDesk, words: Words) -> None:
    def give_out(kind: str) -> Any:
        return gr.update(value=desk.give_out(kind), visible=True)

    for kind, button in zip(("csv", "json"), panel.export, strict=True):
        button.click(partial(give_out, kind), None, panel.exported, api_visibility="private", show_progress="hidden")


def _alert(words: Words, error: StudioError) -> str:
    return fragments.alert(words("system.not_done"), words.error(error))
