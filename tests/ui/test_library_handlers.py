"""What the Library tab does, without a browser: its list, its rows' acts, editing in place and in the editor."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.conftest import wait_until
from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tts_core.access.visitor import Role
from tts_core.domain.sample_texts import sample_text
from tts_core.platform.job import JobKind
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.ui.library import guests
from tts_core.ui.library.handler import DELETED, FAVOURITES, LibraryActions, ListView, Sort
from tts_core.ui.library.view import VoiceAction
from tts_core.ui.library.voice_editor import EditorActions
from tts_core.ui.words import load_words

BASE, CUSTOM = "Qwen3-TTS-12Hz-0.6B-Base", "Qwen3-TTS-12Hz-0.6B-CustomVoice"
WORDS = load_words("en")
Keep = Callable[[Mapping[str, Mapping[str, Any]]], None]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path), "TTS_STUDIO_DEVICE": "cpu"}))
    services.jobs.restore()
    write_checkpoint(services.settings.paths.models_dir / BASE, kind="base", geometry="a")
    yield services
    services.close()


@pytest.fixture
def keep(services: Services) -> Keep:
    """Puts records into the library's file, as another program may; they are whole but for what is given."""

    def keep(records: Mapping[str, Mapping[str, Any]]) -> None:
        whole = {"kind": "clone", "model_key": "base_0_6b", "language": "german", "status": "ready"}
        data = {key: {**whole, "name": key.title(), **record} for key, record in records.items()}
        services.settings.paths.voices_file.write_text(json.dumps(data), encoding="utf-8")

    return keep


@pytest.fixture
def actions(services: Services) -> LibraryActions:
    return LibraryActions(services, WORDS)


@pytest.fixture
def editor(services: Services, actions: LibraryActions) -> EditorActions:
    return EditorActions(services, actions, WORDS)


def names(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def offered(html: str, name: str) -> set[str]:
    """The acts of that voice's menu."""
    row = next(row for row in html.split("<li ") if f"<h2>{name}</h2>" in row)
    menu = row.split('role="menu"')[1]
    shown = re.findall(r"<button (?!hidden)[^>]*?>", menu)
    shown = [button for button in shown if " hidden>" not in button]
    return {re.findall(r'data-(?:action|sound|tab)="(.*?)"', button)[0] for button in shown}


def test_the_list_is_searched_filtered_and_sorted(services: Services, keep: Keep, actions: LibraryActions) -> None:
    at = "2026-01-0{}T00:00:00+00:00"
    keep(
        {
            "dora": {"language": "english", "created_at": at.format(4), "meta": {"tags": ["calm"]}},
            "anna": {"language": "german", "created_at": at.format(3), "meta": {"notes": "from the radio"}},
            "cora": {"language": "auto", "created_at": at.format(2), "meta": {"favourite": True}},
            "bert": {"language": "chinese", "created_at": at.format(1)},
            "gone": {"meta": {"deleted_at": at.format(5)}},
        }
    )

    def listed(**shown: Any) -> list[str]:
        return names(actions.listing(ListView(**shown)).html)

    assert listed() == ["Cora", "Dora", "Anna", "Bert"]
    assert listed(sort=Sort.NAME) == ["Cora", "Anna", "Bert", "Dora"]
    assert listed(sort=Sort.LANGUAGE) == ["Cora", "Bert", "Dora", "Anna"]
    with services.jobs.watch(JobKind.SYNTHESIS, "library/bert"):
        pass
    assert listed(sort=Sort.USED) == ["Cora", "Bert", "Dora", "Anna"]
    assert listed(search="calm") == ["Dora"]
    assert listed(search="radio") == ["Anna"]
    assert listed(show=FAVOURITES) == ["Cora"]
    assert listed(show=DELETED) == ["Gone"]
    assert listed(search="nobody") == []
    assert "1 of 4 voices" in actions.listing(ListView(limit=1)).html


def test_a_row_offers_what_its_voice_can(keep: Keep, actions: LibraryActions) -> None:
    keep(
        {
            "ready": {},
            "raw": {"status": "uploaded"},
            "failed": {"status": "failed", "last_error": "It was <told> to fail."},
            "away": {"model_key": "base_1_7b"},
        }
    )
    html = actions.listing(ListView()).html
    always = {"edit", "settings", "delete"}
    assert offered(html, "Ready") == always | {"use"}
    assert offered(html, "Raw") == offered(html, "Failed") == always | {"prepare"}
    assert offered(html, "Away") == always | {"tab-models"}
    assert "It was &lt;told&gt; to fail." in html
    assert f'data-text="{sample_text("de")}"' in html
    actions.perform(VoiceAction.DELETE, "ready")
    assert offered(actions.listing(ListView(show=DELETED)).html, "Ready") == {"restore", "ask_remove"}


def test_a_voice_is_deleted_restored_and_removed_for_good(keep: Keep, actions: LibraryActions) -> None:
    keep({"anna": {}})
    undo = actions.perform(VoiceAction.DELETE, "anna")
    assert 'data-action="restore" data-key="anna"' in undo
    actions.perform(VoiceAction.RESTORE, "anna")
    assert names(actions.listing(ListView()).html) == ["Anna"]
    actions.perform(VoiceAction.DELETE, "anna")
    assert 'data-action="remove"' in actions.removal("anna")
    actions.perform(VoiceAction.REMOVE, "anna")
    assert names(actions.listing(ListView(show=DELETED)).html) == []
    with pytest.raises(gr.Error):
        actions.perform(VoiceAction.RESTORE, "anna")


def test_name_language_and_notes_are_edited_in_the_row(
    services: Services, keep: Keep, actions: LibraryActions, editor: EditorActions
) -> None:
    keep({"anna": {"name": "Anna", "language": "German"}})
    form = editor.in_place("anna")
    assert (form["name"], form["language"], form["notes"]) == ("Anna", "german", "")
    assert ["English", "english"] in form["languages"]
    assert form["asked"] != editor.in_place("anna")["asked"]
    assert "Anna &lt;two&gt;" in editor.saved_in_place("anna", " Anna <two> ", "german", " From the radio. ")
    voice = services.voices.voice("anna")
    assert (voice.name, voice.language, voice.notes) == ("Anna <two>", "German", "From the radio.")
    editor.saved_in_place("anna", "Anna", "english", "")
    voice = services.voices.voice("anna")
    assert (voice.name, voice.language, voice.notes) == ("Anna", "english", "")
    for refused in ((" ", "english", ""), ("Anna", "klingon", ""), ("Anna", "english", "x" * 2001)):
        with pytest.raises(gr.Error):
            editor.saved_in_place("anna", *refused)
    assert names(actions.listing(ListView()).html) == ["Anna"]


def test_the_editor_changes_and_copies_a_voice(services: Services, keep: Keep, editor: EditorActions) -> None:
    keep({"anna": {"x_vector_only_mode": True, "meta": {"consent": {"own_voice": True}}}})
    saved = editor.saved("anna", "Anna two", "family, calm，calm", "english", "base_0_6b", True, "", "")
    assert "Saved" in saved[10]
    assert "It is my own voice" in saved[14]
    voice = services.voices.voice("anna")
    assert (voice.name, voice.tags, voice.language) == ("Anna two", ("family", "calm"), "english")
    copy = services.voices.voice(editor.copied("anna")[1])
    assert (copy.name, copy.tags) == ("Anna two (copy)", voice.tags)
    with pytest.raises(gr.Error):
        editor.saved("anna", " ", "", "english", "base_0_6b", True, "", "")


def test_a_voice_that_failed_is_prepared_again(services: Services, keep: Keep, actions: LibraryActions) -> None:
    keep({"anna": {"status": "failed", "last_error": "It was told to fail."}})
    actions.perform(VoiceAction.PREPARE, "anna")
    wait_until(lambda: not actions.listing(ListView()).is_busy)
    view = actions.view("anna")
    assert view.job is not None  # it fails once more, and says why: there is no recording
    assert "It was told to fail." not in actions.listing(ListView()).html


def test_guests_see_and_sort_what_they_may_know(services: Services, keep: Keep) -> None:
    keep({"bert": {"language": "english"}, "anna": {"language": "german"}, "cora": {"model_key": "base_1_7b"}})
    words = load_words("en", Role.GUEST)
    by_name = guests.listing(services, words, "", Sort.NAME, 40)
    assert names(by_name) == ["Anna", "Bert", "Cora"]
    assert names(guests.listing(services, words, "", Sort.LANGUAGE, 40)) == ["Bert", "Anna", "Cora"]
    rows = dict(zip(names(by_name), by_name.split("<li ")[1:], strict=True))
    assert 'data-sound="sample"' in rows["Anna"]
    assert 'hidden type="button" class="studio-voice-sound"' in rows["Cora"]
    assert not any(word in by_name for word in ("data-menu", "favourite", "Base"))
