"""The Library tab: every voice that was kept. Find it, hear it, change it, take it elsewhere, bring it back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.services import Services
from tts_core.ui.library import additions as library_additions, view as library_view, voice_editor
from tts_core.ui.library.additions import Adding, Additions
from tts_core.ui.library.files import Chosen
from tts_core.ui.library.handler import ALL, DELETED, FAVOURITES, PAGE, LibraryActions
from tts_core.ui.library.view import VoiceAction
from tts_core.ui.library.voice_editor import EditorActions, VoiceEditor
from tts_core.ui.speak.player import voice_sample
from tts_core.ui.widgets.scripts import ACTIONS, QUESTION
from tts_core.ui.words import Words

BUSY_REFRESH_S = 0.7
IDLE_REFRESH_S = 4.0
TO_EDITOR = """() => setTimeout(() => {
    const editor = document.querySelector("#library-editor");
    if (editor?.contains(document.activeElement?.closest("input, textarea"))) return; // already writing there
    editor?.querySelector("h2")?.focus();
}, 150)"""
"""The script that moves the focus into the editor, which is shown by then; where it lies below the list it scrolls into
view."""
TO_CARD = """() => {
    const key = document.querySelector("#library-editor h2").dataset.key;
    document.querySelector(`#voice-${key} [data-action=edit]`)?.focus();
}"""
TO_UNDO = """() => setTimeout(() => {
    const at = document.activeElement; // the deleted card's button, or the one that took its place
    if (at !== document.body && at?.dataset.action !== "delete") return;
    const undo = document.querySelector("#library-notice [data-action=restore]");
    if (undo) undo.focus();
    else document.querySelector("#library-list button")?.focus({ preventScroll: true });
}, 150)"""
HAND_OUT = """(file) => {
    const link = document.createElement("a");
    [link.href, link.download] = [file.url, file.orig_name];
    link.click();
}"""


@dataclass(frozen=True, slots=True)
class LibraryTab:
    search: gr.Textbox
    show: gr.Radio
    notice: gr.HTML
    sound: gr.Audio
    rows: gr.HTML
    question: gr.HTML
    editor: VoiceEditor
    additions: Additions
    timer: gr.Timer
    limit: gr.State
    """The number of cards that are shown."""
    seen: gr.State
    """The state of the list that the page shows; the list is sent only when it has changed."""

    @property
    def view(self) -> list[Any]:
        """The widgets that decide what the list shows."""
        return [self.search, self.show, self.limit]

    @property
    def listing(self) -> list[Any]:
        return [self.rows, self.seen, self.timer]


def render(words: Words) -> LibraryTab:
    with gr.Row(equal_height=False, elem_classes="studio-speak"):
        with gr.Column(scale=7, min_width=320, elem_classes="studio-card"):
            gr.HTML(f'<p class="studio-lead">{words("library.intro")}</p>', js_on_load=None)
            with gr.Row(elem_classes="studio-find"):
                search = gr.Textbox(
                    value="",
                    label=words("library.search"),
                    placeholder=words("library.search_placeholder"),
                    scale=3,
                    min_width=180,
                    elem_id="library-search",
                )
                show = gr.Radio(
                    [(words(f"library.show_{name}"), name) for name in (ALL, FAVOURITES, DELETED)],
                    value=ALL,
                    label=words("library.show"),
                    scale=4,
                    min_width=240,
                    elem_id="library-show",
                )
            with gr.Column(elem_classes="studio-near"):
                notice = gr.HTML(js_on_load=ACTIONS, elem_id="library-notice")
                sound = voice_sample(words)
            rows = gr.HTML(js_on_load=ACTIONS, elem_id="library-list")
            question = gr.HTML(js_on_load=QUESTION, elem_id="library-question")
        with gr.Column(scale=5, min_width=300, elem_classes="studio-stack"):
            editor = voice_editor.render(words)
            additions = library_additions.render(words)
    timer, limit, seen = gr.Timer(IDLE_REFRESH_S), gr.State(PAGE), gr.State("")
    return LibraryTab(search, show, notice, sound, rows, question, editor, additions, timer, limit, seen)


class _Lists:
    """The list as updates for `LibraryTab.listing`."""

    def __init__(self, actions: LibraryActions) -> None:
        self._actions = actions

    def fresh(self, search: str, show: str, limit: int) -> list[Any]:
        listing = self._actions.listing(search, show, limit)
        return [listing.html, _digest(listing.html), gr.Timer(BUSY_REFRESH_S if listing.is_busy else IDLE_REFRESH_S)]

    def follow(self, search: str, show: str, limit: int, seen: str) -> list[Any]:
        """The list if it has changed since `seen`, else no update."""
        listing = self._actions.listing(search, show, limit)
        return [gr.skip()] * 3 if _digest(listing.html) == seen else self.fresh(search, show, limit)


def wire(tab: LibraryTab, places: tuple[gr.Blocks, gr.Tab], services: Services, words: Words) -> None:
    """Wire the tab. `places`: the page and the tab that hold the widgets."""
    actions = LibraryActions(services, words)
    lists = _Lists(actions)
    _wire_list(tab, places, actions, lists)
    _wire_sound(tab, actions, words)
    _wire_editor(tab, EditorActions(services, actions, words), actions, lists)
    voice_editor.wire(tab.editor, [places[0].load, places[1].select], services, words)
    _wire_additions(tab, places, Adding(services, actions, words), lists)


def _wire_list(tab: LibraryTab, places: tuple[gr.Blocks, gr.Tab], actions: LibraryActions, lists: _Lists) -> None:
    def act(event: gr.EventData, search: str, show: str, limit: int, open_key: str) -> list[Any]:
        asked, key = VoiceAction(event.action), event.key
        if asked is VoiceAction.ASK_REMOVE:
            return [actions.removal(key), *[gr.skip()] * 7]
        if asked is VoiceAction.MORE:
            return [gr.skip(), gr.skip(), limit + PAGE, *lists.fresh(search, show, limit + PAGE), gr.skip(), gr.skip()]
        notice = actions.perform(asked, key)
        is_gone = asked in (VoiceAction.DELETE, VoiceAction.REMOVE) and key == open_key
        editor = [gr.update(visible=False), ""] if is_gone else [gr.skip(), gr.skip()]
        return [gr.skip(), notice, gr.skip(), *lists.fresh(search, show, limit), *editor]

    for clicked in (tab.rows.click, tab.notice.click, tab.question.click):
        done = clicked(
            act,
            [*tab.view, tab.editor.key],
            [tab.question, tab.notice, tab.limit, *tab.listing, tab.editor.panel, tab.editor.key],
            trigger_mode="multiple",
            concurrency_limit=None,
            api_visibility="private",
            show_progress="hidden",
        )
        done.success(None, None, None, js=TO_UNDO, api_visibility="private")
    page, item = places
    for looked in (page.load, item.select, tab.search.change, tab.show.change):
        looked(lists.fresh, tab.view, tab.listing, api_visibility="private", show_progress="hidden")
    tab.timer.tick(
        lists.follow,
        [*tab.view, tab.seen],
        tab.listing,
        queue=False,
        api_visibility="private",
        show_progress="hidden",
    )


def _wire_sound(tab: LibraryTab, actions: LibraryActions, words: Words) -> None:
    """Wire the player. A sentence takes a while the first time, so the page says what it waits for."""

    def sound(event: gr.EventData) -> Any:
        asked = VoiceAction(event.action)
        if asked is VoiceAction.SAMPLE:
            yield library_view.busy_notice(words), gr.update(visible=False, value=None)
        try:
            path, label = actions.heard(asked, event.key)
        except gr.Error:
            yield "", gr.update(visible=False, value=None)
            raise
        yield "", gr.update(value=path, label=label, visible=True)

    for played in (tab.rows.play, tab.rows.submit):
        played(sound, None, [tab.notice, tab.sound], api_visibility="private", show_progress="hidden")


def _wire_editor(tab: LibraryTab, doing: EditorActions, actions: LibraryActions, lists: _Lists) -> None:
    editor = tab.editor

    def edit(event: gr.EventData) -> list[Any]:
        return doing.opened(event.key)

    opened = tab.rows.edit(edit, None, editor.outputs, api_visibility="private", show_progress="hidden")
    opened.success(None, None, None, js=TO_EDITOR, api_visibility="private")
    for button, act, inputs in (
        (editor.save, doing.saved, editor.fields),
        (editor.replace, doing.replaced, [editor.recording]),
        (editor.copy, doing.copied, []),
    ):
        done = button.click(
            act, [editor.key, *inputs], editor.outputs, api_visibility="private", show_progress="hidden"
        )
        done.success(lists.fresh, tab.view, tab.listing, api_visibility="private", show_progress="hidden")
    editor.close.click(None, None, None, js=TO_CARD, api_visibility="private")
    editor.close.click(
        doing.closed, None, editor.outputs, api_visibility="private", show_progress="hidden", queue=False
    )

    def export(key: str) -> Any:
        return gr.update(value=actions.exported(key), visible=True)

    exported = editor.export.click(export, editor.key, editor.file, api_visibility="private", show_progress="hidden")
    exported.success(None, editor.file, None, js=HAND_OUT, api_visibility="private")


def _wire_additions(tab: LibraryTab, places: tuple[gr.Blocks, gr.Tab], adding: Adding, lists: _Lists) -> None:
    added = tab.additions
    listing = [tab.notice, *tab.listing]

    def come(files: list[str] | None, search: str, show: str, limit: int) -> list[Any]:
        notice, kind = adding.came(files)
        return [*adding.ask(kind), notice, *lists.fresh(search, show, limit)]

    def take(search: str, show: str, limit: int, *answers: Any) -> list[Any]:
        notice = adding.taken(*answers)
        return [*adding.ask(Chosen.NOTHING), notice, *lists.fresh(search, show, limit)]

    def add(search: str, show: str, limit: int, *answers: Any) -> list[Any]:
        return ["", "", adding.role(*answers), *lists.fresh(search, show, limit)]

    for changed in (added.files.upload, added.files.delete):
        came = changed(
            come,
            [added.files, *tab.view],
            [*added.asking, *listing],
            api_visibility="private",
            show_progress="hidden",
        )
        came.failure(
            adding.refused, added.files, added.asking, api_visibility="private", show_progress="hidden", queue=False
        )
    role = [added.role_name, added.speaker, added.style, added.role_language]
    for event, act, inputs, outputs in (
        (added.take.click, take, [*tab.view, *added.said], added.asking),
        (added.add_role.click, add, [*tab.view, *role], [added.role_name, added.style]),
    ):
        event(act, inputs, [*outputs, *listing], api_visibility="private", show_progress="hidden")
    added.files.clear(
        lambda: gr.update(visible=False), None, added.asked, api_visibility="private", show_progress="hidden"
    )
    page, item = places
    for looked in (page.load, item.select):
        looked(adding.look, None, added.models, api_visibility="private", show_progress="hidden")


def _digest(html: str) -> str:
    return hashlib.sha256(html.encode()).hexdigest()
