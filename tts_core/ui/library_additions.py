"""The Library tab's panel for voices that come from elsewhere: files of voices, and roles of preset speakers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.catalogue import ModelKind
from tts_core.domain import AUTO_LANGUAGE
from tts_core.errors import ConsentMissing
from tts_core.services import Services
from tts_core.ui import fragments, save_panel
from tts_core.ui.clone_handlers import CloneHandler
from tts_core.ui.forms import OWN_VOICE, OWNER_AGREED
from tts_core.ui.library_actions import LibraryActions
from tts_core.ui.voice_choices import language_choices
from tts_core.ui.words import Words
from tts_core.voice_library.record import SavedVoice
from tts_core.voices import Consent, NewVoice

PROMPT_SUFFIX = ".pt"


@dataclass(frozen=True, slots=True)
class Additions:
    panel: gr.Column
    file: gr.File
    official: gr.Column
    """What has to be said of the official demo's prompts, which say nothing themselves."""
    official_name: gr.Textbox
    official_model: gr.Dropdown
    consent: gr.Radio
    consent_note: gr.Textbox
    official_import: gr.Button
    role_note: gr.HTML
    role_name: gr.Textbox
    speaker: gr.Dropdown
    style: gr.Textbox
    role_language: gr.Dropdown
    add_role: gr.Button

    @property
    def models(self) -> list[Any]:
        """What depends on the models that are ready: for `Adding.look`."""
        return [self.official_model, self.role_note, self.speaker, self.role_language, self.add_role]


def render(words: Words) -> Additions:
    with gr.Column(elem_classes="studio-card", elem_id="library-additions") as panel:
        gr.HTML(f"<h2>{words('additions.title')}</h2>", js_on_load=None, elem_classes="studio-step")
        with gr.Accordion(words("additions.import"), open=False, elem_id="library-import"):
            imported = _render_import(words)
        with gr.Accordion(words("additions.role"), open=False, elem_id="library-role"):
            role = _render_role(words)
    return Additions(panel=panel, **imported, **role)


def _render_import(words: Words) -> dict[str, Any]:
    gr.HTML(fragments.hint(words("additions.import_info")), js_on_load=None)
    file = gr.File(
        label=words("additions.file"),
        file_types=[".zip", PROMPT_SUFFIX],
        type="filepath",
        elem_id="library-import-file",
    )
    with gr.Column(visible=False) as official:
        gr.HTML(fragments.hint(words("additions.official_info")), js_on_load=None)
        name = gr.Textbox(value="", label=words("save.name"), max_length=100, elem_id="library-import-name")
        model = gr.Dropdown([], label=words("clone.model"), elem_id="library-import-model")
        consent, note = save_panel.consent_widgets(words, "library-import")
        button = gr.Button(words("additions.import_now"), variant="primary", elem_id="library-import-run")
    return {
        "file": file,
        "official": official,
        "official_name": name,
        "official_model": model,
        "consent": consent,
        "consent_note": note,
        "official_import": button,
    }


def _render_role(words: Words) -> dict[str, Any]:
    gr.HTML(fragments.hint(words("additions.role_info")), js_on_load=None)
    return {
        "role_note": gr.HTML(js_on_load=None, elem_id="library-role-note"),
        "role_name": gr.Textbox(
            value="",
            label=words("save.name"),
            placeholder=words("additions.role_name"),
            max_length=100,
            elem_id="library-role-name",
        ),
        "speaker": gr.Dropdown([], label=words("additions.speaker"), elem_id="library-role-speaker"),
        "style": gr.Textbox(
            value="",
            label=words("speak.instruct"),
            info=words("additions.style_info"),
            placeholder=words("speak.instruct_placeholder"),
            lines=2,
            elem_id="library-role-style",
        ),
        "role_language": gr.Dropdown([], label=words("speak.language"), elem_id="library-role-language"),
        "add_role": gr.Button(words("additions.add_role"), variant="primary", elem_id="library-role-add"),
    }


class Adding:
    """Raise gr.Error that tells people why not; else the notice of what was added."""

    def __init__(self, services: Services, actions: LibraryActions, words: Words) -> None:
        self._services = services
        self._actions = actions
        self._words = words
        self._clones = CloneHandler(services)

    def look(self) -> list[Any]:
        """For `Additions.models`."""
        statuses = self._services.models.statuses()
        ready = [one for one in statuses if one.valid and one.entry.kind is ModelKind.CUSTOM_VOICE]
        ready.sort(key=lambda one: one.entry.size, reverse=True)
        speakers = [
            (f"{speaker.replace('_', ' ').title()} · {one.entry.display_name}", f"{one.key}/{speaker}")
            for one in ready
            for speaker in self._services.models.capabilities(one.key).speakers
        ]
        words = self._words
        languages = language_choices(words, self._services.models.capabilities(ready[0].key)) if ready else []
        bases = self._clones.models()
        note = "" if ready else fragments.note(words("additions.no_model"), words("speak.to_models"), "tab-models")
        return [
            gr.update(choices=bases, value=bases[0][1] if bases else None),
            note,
            gr.update(choices=speakers, value=speakers[0][1] if speakers else None, interactive=bool(speakers)),
            gr.update(choices=languages, value=AUTO_LANGUAGE if languages else None, interactive=bool(ready)),
            gr.update(interactive=bool(ready)),
        ]

    def came(self, file: str | None) -> tuple[str, bool]:
        """(notice, more has to be said): an exported voice is taken in at once."""
        if file is None or file.lower().endswith(PROMPT_SUFFIX):
            return "", file is not None
        return self._added(lambda: [self._services.voice_transfer.import_archive(Path(file))]), False

    def official(self, file: str | None, name: str, model: str | None, consent: str | None, note: str) -> str:
        def add() -> list[SavedVoice]:
            if consent not in (OWN_VOICE, OWNER_AGREED):
                raise ConsentMissing
            confirmed = Consent(own_voice=consent == OWN_VOICE, note=note.strip())
            new = NewVoice(name, model or "")
            return list(self._services.voice_transfer.import_official(Path(file or ""), new, confirmed))

        self._actions.check_name(name)
        return self._added(add)

    def role(self, name: str, speaker: str | None, style: str, language: str | None) -> str:
        self._actions.check_name(name)
        key, _, speaker_name = (speaker or "").partition("/")
        new = NewVoice(name, key, language=language or AUTO_LANGUAGE, speaker=speaker_name, instruct=style)
        return self._added(lambda: [self._services.voices.add_role(new)])

    def _added(self, add: Callable[[], list[SavedVoice]]) -> str:
        with self._actions.told():
            voices = add()
            return self._actions.notice("additions.added", voices[0])
