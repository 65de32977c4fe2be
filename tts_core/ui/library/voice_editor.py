"""The Library tab's panel for one voice: what it is, what can be changed, copies of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError, UnknownModelKey
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.services import Services
from tts_core.ui.library import view as library_view
from tts_core.ui.library.handler import LibraryActions
from tts_core.ui.transcribe import button as transcribe_button
from tts_core.ui.transcribe.button import Source, TranscribeButton
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.voice_choices import language_choices
from tts_core.ui.words import Words
from tts_core.voices.record import SavedVoice, VoiceKind

_ASKED = count(1)
"""A counter that makes each opening unlike the last one, so that the page sees a change."""
_PREPARED_FROM = ("model_key", "ref_text", "x_vector_only_mode")
"""The fields that a clone's prepared form depends on."""


@dataclass(frozen=True, slots=True)
class VoiceEditor:
    panel: gr.Column
    key: gr.State
    """The voice's id, "" while none is open."""
    title: gr.HTML
    name: gr.Textbox
    tags: gr.Textbox
    language: gr.Dropdown
    model: gr.Dropdown
    timbre_only: gr.Checkbox
    transcript: gr.Textbox
    transcribe: TranscribeButton
    instruct: gr.Textbox
    save: gr.Button
    message: gr.HTML
    replacing: gr.Accordion
    recording: gr.Audio
    replace: gr.Button
    copy: gr.Button
    export: gr.Button
    file: gr.File
    facts: gr.HTML
    close: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """The widgets that `opened` and `closed` fill."""
        shown = [self.panel, self.key, self.title, self.name, self.tags, self.language, self.model, self.timbre_only]
        return [
            *shown,
            self.transcript,
            self.instruct,
            self.message,
            self.replacing,
            self.recording,
            self.file,
            self.facts,
            self.transcribe.panel,
            *self.transcribe.fresh,
        ]

    @property
    def fields(self) -> list[Any]:
        return [self.name, self.tags, self.language, self.model, self.timbre_only, self.transcript, self.instruct]


def render(words: Words) -> VoiceEditor:
    with gr.Column(visible=False, elem_classes="studio-card", elem_id="library-editor") as panel:
        title = gr.HTML(js_on_load=None, elem_classes="studio-step")
        name = gr.Textbox(value="", label=words("save.name"), max_length=100, elem_id="library-name")
        tags = gr.Textbox(value="", label=words("editor.tags"), info=words("editor.tags_info"), elem_id="library-tags")
        with gr.Row():
            language = gr.Dropdown([], label=words("speak.language"), min_width=200, elem_id="library-language")
            model = gr.Dropdown([], label=words("clone.model"), min_width=200, elem_id="library-model")
        timbre_only = gr.Checkbox(label=words("clone.timbre_only"))
        transcript = gr.Textbox(
            value="", label=words("clone.transcript"), lines=2, max_lines=8, elem_id="library-transcript"
        )
        transcribe = transcribe_button.render(words, "library")
        instruct = gr.Textbox(value="", label=words("speak.instruct"), lines=2, max_lines=6, elem_id="library-instruct")
        with gr.Row(elem_classes="studio-actions"):
            save = gr.Button(words("editor.save"), variant="primary", elem_id="library-save")
            close = gr.Button(words("editor.close"), elem_id="library-close")
        message = gr.HTML(js_on_load=None, elem_id="library-message")
        with gr.Accordion(words("editor.replace"), open=False, elem_id="library-replacing") as replacing:
            gr.HTML(fragments.hint(words("editor.replace_info")), js_on_load=None)
            recording = gr.Audio(
                sources=["upload", "microphone"],
                type="filepath",
                label=words("clone.recording"),
                show_label=False,
                buttons=["download"],
                elem_id="library-file",
            )
            replace = gr.Button(words("editor.replace_now"), size="sm", elem_id="library-replace")
        with gr.Row(elem_classes="studio-actions"):
            copy = gr.Button(words("editor.copy"), size="sm", elem_id="library-copy")
            export = gr.Button(words("editor.export"), size="sm", elem_id="library-export")
        file = gr.File(label=words("editor.exported"), visible=False, interactive=False, elem_id="library-exported")
        facts = gr.HTML(js_on_load=None, elem_id="library-facts", elem_classes="studio-voice-facts")
    return VoiceEditor(
        panel=panel,
        key=gr.State(""),
        title=title,
        name=name,
        tags=tags,
        language=language,
        model=model,
        timbre_only=timbre_only,
        transcript=transcript,
        transcribe=transcribe,
        instruct=instruct,
        save=save,
        message=message,
        replacing=replacing,
        recording=recording,
        replace=replace,
        copy=copy,
        export=export,
        file=file,
        facts=facts,
        close=close,
    )


def wire(editor: VoiceEditor, opened: list[Any], services: Services, words: Words) -> None:
    """Wire the editor. `opened`: the events that show the tab."""
    voices = services.voices
    source = Source(
        [editor.key], lambda key: voices.reference(key) if key else None, editor.transcript, editor.language
    )
    transcribe_button.wire(editor.transcribe, source, opened, services, words)


class EditorActions:
    """The editor's work. Methods raise gr.Error with the reason why something can't be done."""

    def __init__(self, services: Services, actions: LibraryActions, words: Words) -> None:
        self._services = services
        self._actions = actions
        self._words = words

    def opened(self, key: str, message: str = "") -> list[Any]:
        """Updates for the editor's outputs: the voice is shown, or nothing."""
        with self._actions.errors_shown():
            view = self._actions.view(key)
        voice, words = view.voice, self._words
        is_role = voice.kind is VoiceKind.CUSTOM_ROLE
        codes = self._languages(voice)
        return [
            gr.update(visible=True),
            voice.id,
            f'<h2 tabindex="-1" data-key="{voice.id}">{words("editor.title")}</h2>',  # focused when it opens
            voice.name,
            ", ".join(voice.tags),
            gr.update(choices=codes, value=_among(voice.language, codes)),
            gr.update(choices=self._models(voice), value=voice.model_key, visible=not is_role),
            gr.update(value=voice.x_vector_only_mode, visible=not is_role),
            gr.update(value=voice.ref_text, visible=not is_role),
            gr.update(value=voice.instruct, visible=is_role),
            message,
            gr.update(visible=not is_role, open=False),
            None,
            gr.update(visible=False),
            library_view.facts(words, view),
            gr.update(visible=not is_role),
            "",
            None,
        ]

    def in_place(self, key: str) -> dict[str, Any]:
        """The values of what is edited in a row, with the languages to choose from."""
        with self._actions.errors_shown():
            voice = self._services.voices.voice(key)
        codes = self._languages(voice)
        return {
            "key": voice.id,
            "name": voice.name,
            "language": _among(voice.language, codes),
            "languages": [list(choice) for choice in codes],
            "notes": voice.notes,
            "asked": next(_ASKED),
        }

    def saved_in_place(self, key: str, name: str, language: str, notes: str) -> str:
        """Save what was edited in a row; returns the notice. A language that the row could not show stays."""
        self._actions.check_name(name)
        with self._actions.errors_shown():
            before = self._services.voices.voice(key)
            wanted = {"name": name.strip(), "language": language, "notes": notes.strip()}
            if language == _among(before.language, self._languages(before)):
                del wanted["language"]
            changes = {field: value for field, value in wanted.items() if value != getattr(before, field)}
            saved = self._services.voices.change(key, changes) if changes else before
        return self._actions.notice("library.saved", saved)

    def closed(self) -> list[Any]:
        return [gr.update(visible=False), "", *[gr.skip()] * 16]

    def saved(self, key: str, *values: Any) -> list[Any]:
        """Save the fields that differ; a clone is prepared again at once if it has to be."""
        self._actions.check_name(str(values[0]))
        with self._actions.errors_shown():
            before = self._services.voices.voice(key)
            changes = _changes(before, values)
            if changes:
                self._services.voices.change(key, changes)
            if before.kind is not VoiceKind.CUSTOM_ROLE and changes.keys() & set(_PREPARED_FROM):
                self._services.voices.prepare(key)
        return self.opened(key, library_view.notice(self._words, self._words("editor.saved")))

    def replaced(self, key: str, recording: str | None) -> list[Any]:
        with self._actions.errors_shown():
            if recording is not None:
                self._services.voices.replace_recording(key, Path(recording))
                self._services.voices.prepare(key)
        done = self._words("editor.saved" if recording else "editor.nothing")
        return self.opened(key, library_view.notice(self._words, done))

    def copied(self, key: str) -> list[Any]:
        """Copy the voice and open the copy, to give it a name."""
        with self._actions.errors_shown():
            name = self._words("editor.copy_name", {"voice": self._services.voices.voice(key).name})
            copy = self._services.voices.duplicate(key, name[:100])
        return self.opened(copy.id, self._actions.notice("editor.copied", copy))

    def _models(self, voice: SavedVoice) -> list[tuple[str, str]]:
        """The models to choose from: the ready ones that clone, and the voice's own."""
        models = self._services.voice_models
        choices = {model.key: model.name for model in models.cloning()}
        with suppress(UnknownModelKey):
            choices.setdefault(voice.model_key, models.model(voice.model_key).name)
        return [(name, key) for key, name in choices.items()]

    def _languages(self, voice: SavedVoice) -> list[tuple[str, str]]:
        try:
            return language_choices(self._words, self._services.voice_models.model(voice.model_key).capabilities())
        except StudioError:  # a model that only another catalogue knows
            return [(voice.language, voice.language)]


def _among(language: str, choices: list[tuple[str, str]]) -> str:
    """The language as it is written among the choices: other programs write languages in other cases."""
    codes = {code.casefold(): code for _, code in choices}
    return codes.get(language.casefold(), AUTO_LANGUAGE)


def _changes(before: SavedVoice, values: tuple[Any, ...]) -> Mapping[str, Any]:
    name, tags, language, model, timbre_only, transcript, instruct = values
    wanted = {
        "name": name.strip(),
        "language": language,
        "model_key": model or before.model_key,
        "x_vector_only_mode": bool(timbre_only),
        "ref_text": transcript.strip(),
        "instruct": instruct.strip(),
    }
    changes = {field: value for field, value in wanted.items() if value != getattr(before, field)}
    if before.kind is VoiceKind.CUSTOM_ROLE:
        changes.pop("model_key", None)
    split = list(dict.fromkeys(tag.strip() for tag in tags.replace("，", ",").split(",") if tag.strip()))
    return changes if split == list(before.tags) else {**changes, "tags": split}
