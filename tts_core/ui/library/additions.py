"""The Library tab's panel for voices that come from elsewhere: files of voices, and roles of preset speakers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.models.catalogue import ModelKind
from tts_core.services import Services
from tts_core.ui.clone import save_panel
from tts_core.ui.clone.handler import CloneHandler
from tts_core.ui.library import files as library_files, view as library_view
from tts_core.ui.library.files import Chosen
from tts_core.ui.library.handler import LibraryActions
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import OWN_VOICE, OWNER_AGREED
from tts_core.ui.widgets.voice_choices import language_choices
from tts_core.ui.words import Words
from tts_core.voices.faults import ConsentMissing
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.record import SavedVoice
from tts_core.voices.recordings import disk_errors_typed


@dataclass(frozen=True, slots=True)
class Additions:
    panel: gr.Column
    files: gr.File
    asked: gr.Column
    """The questions about files that don't answer them: the official demo's prompts, recordings with texts."""
    asked_info: gr.HTML
    name: gr.Textbox
    model: gr.Dropdown
    consent: gr.Radio
    consent_note: gr.Textbox
    take: gr.Button
    role_note: gr.HTML
    role_name: gr.Textbox
    speaker: gr.Dropdown
    style: gr.Textbox
    role_language: gr.Dropdown
    add_role: gr.Button

    @property
    def models(self) -> list[Any]:
        """The widgets that depend on the models that are ready, filled by `Adding.look`."""
        return [self.model, self.role_note, self.speaker, self.role_language, self.add_role]

    @property
    def asking(self) -> list[Any]:
        """The widgets that depend on the chosen files, filled by `Adding.ask`."""
        return [self.files, self.asked, self.asked_info, self.name]

    @property
    def answers(self) -> list[Any]:
        """The widgets with the answers, read by `Adding.taken`."""
        return [self.files, self.name, self.model, self.consent, self.consent_note]


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
    files = gr.File(
        label=words("additions.file"),
        file_count="multiple",
        file_types=list(library_files.SUFFIXES),
        type="filepath",
        elem_id="library-import-file",
    )
    with gr.Column(visible=False) as asked:
        info = gr.HTML(js_on_load=None, elem_id="library-import-info")
        name = gr.Textbox(value="", label=words("save.name"), max_length=100, elem_id="library-import-name")
        model = gr.Dropdown([], label=words("clone.model"), elem_id="library-import-model")
        consent, note = save_panel.consent_widgets(words, "library-import")
        button = gr.Button(words("additions.import_now"), variant="primary", elem_id="library-import-run")
    return {
        "files": files,
        "asked": asked,
        "asked_info": info,
        "name": name,
        "model": model,
        "consent": consent,
        "consent_note": note,
        "take": button,
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
    """The panel's work. Methods return the notice of what was added, or raise gr.Error with the reason."""

    def __init__(self, services: Services, actions: LibraryActions, words: Words) -> None:
        self._services = services
        self._actions = actions
        self._words = words
        self._clones = CloneHandler(services)

    def look(self) -> list[Any]:
        """Updates for `Additions.models`."""
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

    def came(self, files: list[str] | None) -> tuple[str, Chosen]:
        """Look at files that were chosen, and import an exported voice at once; returns (notice, the kind of files that
        need more answers)."""
        kind = library_files.check(files or (), self._words)
        if kind is not Chosen.ARCHIVE or not files:
            return "", kind
        return self._added(lambda: [self._services.voice_transfer.import_archive(Path(files[0]))]), Chosen.NOTHING

    def ask(self, kind: Chosen) -> list[Any]:
        """Updates for `Additions.asking`; the files stay while a question about them is open."""
        if kind not in (Chosen.PROMPT, Chosen.PAIRS):
            return [None, gr.update(visible=False), "", gr.skip()]
        info = self._words("additions.pairs_info" if kind is Chosen.PAIRS else "additions.official_info")
        return [gr.skip(), gr.update(visible=True), fragments.hint(info), gr.update(visible=kind is Chosen.PROMPT)]

    def refused(self, files: list[str] | None) -> list[Any]:
        """Updates for `Additions.asking` after a refusal: recordings stay, so that what is missing can be added."""
        return [gr.skip()] * 4 if library_files.chosen(files or ()) is Chosen.PAIRS else self.ask(Chosen.NOTHING)

    def taken(self, files: list[str] | None, name: str, model: str | None, consent: str | None, note: str) -> str:
        kind = library_files.check(files or (), self._words)
        new = NewVoice(name, model or "")
        confirmed = Consent(own_voice=consent == OWN_VOICE, note=note.strip())
        is_allowed = consent in (OWN_VOICE, OWNER_AGREED)
        if kind is Chosen.PAIRS:
            return self._pairs(files or (), new, confirmed if is_allowed else None)
        return self._official(files or (), new, confirmed if is_allowed else None)

    def _official(self, files: Sequence[str], new: NewVoice, consent: Consent | None) -> str:
        self._actions.check_name(new.name)
        file = Path(next(iter(files), ""))
        return self._added(lambda: list(self._services.voice_transfer.import_official(file, new, consent)))

    def _pairs(self, files: Sequence[str], new: NewVoice, consent: Consent | None) -> str:
        with self._actions.errors_shown():
            if consent is None:
                raise ConsentMissing
            self._services.voice_models.model(new.model_key)  # not once for every pair
            cache = self._services.settings.paths.page_cache_dir
            with disk_errors_typed(cache), library_files.beside_each_other(files, cache) as folder:
                found = self._services.voice_transfer.import_pairs(folder, new, consent)
        return library_view.imported(self._words, found)

    def role(self, name: str, speaker: str | None, style: str, language: str | None) -> str:
        self._actions.check_name(name)
        key, _, speaker_name = (speaker or "").partition("/")
        new = NewVoice(name, key, language=language or AUTO_LANGUAGE, speaker=speaker_name, instruct=style)
        return self._added(lambda: [self._services.voices.add_role(new)])

    def _added(self, add: Callable[[], list[SavedVoice]]) -> str:
        with self._actions.errors_shown():
            voices = add()
            return self._actions.notice("additions.added", voices[0])
