"""The Library tab: every saved voice. Find it, preview it, change it, take it elsewhere, bring it back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import count
from typing import Any

import gradio as gr

from tts_core.services import Services
from tts_core.ui.library import additions as library_additions, voice_editor
from tts_core.ui.library.additions import Adding, Additions
from tts_core.ui.library.files import Chosen
from tts_core.ui.library.handler import ALL, DELETED, FAVOURITES, PAGE, LibraryActions, ListView, Sort
from tts_core.ui.library.view import VoiceAction
from tts_core.ui.library.voice_editor import EditorActions, VoiceEditor
from tts_core.ui.widgets import voice_picker
from tts_core.ui.widgets.scripts import ACTIONS, LIBRARY_LIST, QUESTION
from tts_core.ui.words import Words

_SAVED = count(1)
"""A counter that makes each saving unlike the last one, so that the page sees a change."""
BUSY_REFRESH_S = 0.7
IDLE_REFRESH_S = 4.0
TO_EDITOR = """() => setTimeout(() => {
    const editor = document.querySelector("#library-editor");
    if (editor?.contains(document.activeElement?.closest("input, textarea"))) return; // someone writes there
    editor?.querySelector("h2")?.focus();
}, 150)"""
"""The script that moves the focus into the editor, which is shown by then; where it lies below the list it scrolls into
view."""
TO_ROW = """() => {
    const key = document.querySelector("#library-editor h2").dataset.key;
    document.querySelector(`#voice-${key} [data-menu]`)?.focus();
}"""
TO_UNDO = """() => setTimeout(() => {
    if (document.activeElement !== document.body) return; // the deleted row took the focus along
    const undo = document.querySelector("#library-notice [data-action=restore]");
    if (undo) undo.focus();
    else document.querySelector("#library-list button")?.focus({ preventScroll: true });
}, 150)"""
HAND_OUT = """(file) => {
    const link = document.createElement("a");
    [link.href, link.download] = [file.url, file.orig_name];
    link.click();
}"""

_TEXTS = {
    "failed": "picker.failed",
    "name": "save.name",
    "language": "speak.language",
    "notes": "editor.notes",
    "save": "editor.save",
    "cancel": "voice.cancel",
}


@dataclass(frozen=True, slots=True)
class LibraryTab:
    search: gr.Textbox
    show: gr.Radio
    sort: gr.Dropdown
    notice: gr.HTML
    rows: gr.HTML
    question: gr.HTML
    editor: VoiceEditor
    additions: Additions
    timer: gr.Timer
    limit: gr.State
    """The number of rows that are shown."""
    seen: gr.State
    """The state of the list that the page shows; the list is sent only when it has changed."""

    @property
    def view(self) -> list[Any]:
        """The widgets that decide what the list shows."""
        return [self.search, self.show, self.sort, self.limit]

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
                sort = sort_choice(words, list(Sort))
            show = gr.Radio(
                [(words(f"library.show_{name}"), name) for name in (ALL, FAVOURITES, DELETED)],
                value=ALL,
                label=words("library.show"),
                elem_id="library-show",
            )
            with gr.Column(elem_classes="studio-near"):
                notice = gr.HTML(js_on_load=ACTIONS, elem_id="library-notice")
            rows = row_list(words)
            question = gr.HTML(js_on_load=QUESTION, elem_id="library-question")
        with gr.Column(scale=5, min_width=300, elem_classes="studio-stack"):
            editor = voice_editor.render(words)
            additions = library_additions.render(words)
    timer, limit, seen = gr.Timer(IDLE_REFRESH_S), gr.State(PAGE), gr.State("")
    return LibraryTab(search, show, sort, notice, rows, question, editor, additions, timer, limit, seen)


def sort_choice(words: Words, orders: list[Sort]) -> gr.Dropdown:
    return gr.Dropdown(
        [(words(f"library.sort_{order.value}"), order.value) for order in orders],
        value=orders[0].value,
        label=words("library.sort"),
        filterable=False,
        scale=2,
        min_width=150,
        elem_id="library-sort",
    )


def row_list(words: Words) -> gr.HTML:
    """The rows, for admins and for guests; see assets/scripts/library_list.js."""
    return gr.HTML(
        "",
        html_template='<div class="studio-voices-root"></div>',
        js_on_load=f"{ACTIONS}\n{LIBRARY_LIST}",
        elem_id="library-list",
        api=voice_picker.API[words.language],
        texts={name: words(key) for name, key in _TEXTS.items()},
        editing=None,
        saved=None,
    )


class _Lists:
    """The list as updates for `LibraryTab.listing`."""

    def __init__(self, actions: LibraryActions) -> None:
        self._actions = actions

    def fresh(self, search: str, show: str, sort: str | None, limit: int) -> list[Any]:
        listing = self._actions.listing(ListView(search, show, Sort(sort or Sort.NEWEST), limit))
        return [listing.html, _digest(listing.html), gr.Timer(BUSY_REFRESH_S if listing.is_busy else IDLE_REFRESH_S)]

    def follow(self, search: str, show: str, sort: str | None, limit: int, seen: str) -> list[Any]:
        """The list if it has changed since `seen`, else no update."""
        fresh = self.fresh(search, show, sort, limit)
        return [gr.skip()] * 3 if fresh[1] == seen else fresh


def wire(tab: LibraryTab, places: tuple[gr.Blocks, gr.Tab], services: Services, words: Words) -> None:
    """Wire the tab. `places`: the page and the tab that hold the widgets."""
    actions = LibraryActions(services, words)
    lists = _Lists(actions)
    _wire_list(tab, places, actions, lists)
    editing = EditorActions(services, actions, words)
    _wire_editing_in_place(tab, editing, lists)
    _wire_editor(tab, editing, actions, lists)
    voice_editor.wire(tab.editor, [places[0].load, places[1].select], services, words)
    _wire_additions(tab, places, Adding(services, actions, words), lists)


def _wire_list(tab: LibraryTab, places: tuple[gr.Blocks, gr.Tab], actions: LibraryActions, lists: _Lists) -> None:
    def act(event: gr.EventData, search: str, show: str, sort: str, limit: int, open_key: str) -> list[Any]:
        asked, key = VoiceAction(event.action), event.key
        if asked is VoiceAction.ASK_REMOVE:
            return [actions.removal(key), *[gr.skip()] * 7]
        if asked is VoiceAction.MORE:
            more = lists.fresh(search, show, sort, limit + PAGE)
            return [gr.skip(), gr.skip(), limit + PAGE, *more, gr.skip(), gr.skip()]
        notice = actions.perform(asked, key)
        is_gone = asked in (VoiceAction.DELETE, VoiceAction.REMOVE) and key == open_key
        editor = [gr.update(visible=False), ""] if is_gone else [gr.skip(), gr.skip()]
        return [gr.skip(), notice, gr.skip(), *lists.fresh(search, show, sort, limit), *editor]

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
    for opened in (page.load, item.select, tab.search.change, tab.show.change, tab.sort.change):
        opened(lists.fresh, tab.view, tab.listing, api_visibility="private", show_progress="hidden")
    tab.timer.tick(
        lists.follow,
        [*tab.view, tab.seen],
        tab.listing,
        queue=False,
        api_visibility="private",
        show_progress="hidden",
    )


def _wire_editing_in_place(tab: LibraryTab, doing: EditorActions, lists: _Lists) -> None:
    """Wire name, language and notes, which unfold in a row. What was typed stays there when it can't be saved."""

    def edit(event: gr.EventData) -> Any:
        return gr.update(editing=doing.in_place(event.key))

    def save(event: gr.EventData, search: str, show: str, sort: str, limit: int) -> list[Any]:
        done = doing.saved_in_place(event.key, event.name, event.language, event.notes)
        rows, *seen = lists.fresh(search, show, sort, limit)
        return [gr.update(value=rows, saved={"key": event.key, "asked": next(_SAVED)}), *seen, done]

    tab.rows.edit(edit, None, tab.rows, api_visibility="private", show_progress="hidden", queue=False)
    tab.rows.submit(save, tab.view, [*tab.listing, tab.notice], api_visibility="private", show_progress="hidden")


def _wire_editor(tab: LibraryTab, doing: EditorActions, actions: LibraryActions, lists: _Lists) -> None:
    editor = tab.editor

    def settings(event: gr.EventData) -> list[Any]:
        return doing.opened(event.key)

    opened = tab.rows.expand(settings, None, editor.outputs, api_visibility="private", show_progress="hidden")
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
    editor.close.click(None, None, None, js=TO_ROW, api_visibility="private")
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

    def come(files: list[str] | None, search: str, show: str, sort: str, limit: int) -> list[Any]:
        notice, kind = adding.came(files)
        return [*adding.ask(kind), notice, *lists.fresh(search, show, sort, limit)]

    def take(search: str, show: str, sort: str, limit: int, *answers: Any) -> list[Any]:
        notice = adding.taken(*answers)
        return [*adding.ask(Chosen.NOTHING), notice, *lists.fresh(search, show, sort, limit)]

    def add(search: str, show: str, sort: str, limit: int, *answers: Any) -> list[Any]:
        return ["", "", adding.role(*answers), *lists.fresh(search, show, sort, limit)]

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
        (added.take.click, take, [*tab.view, *added.answers], added.asking),
        (added.add_role.click, add, [*tab.view, *role], [added.role_name, added.style]),
    ):
        event(act, inputs, [*outputs, *listing], api_visibility="private", show_progress="hidden")
    added.files.clear(
        lambda: gr.update(visible=False), None, added.asked, api_visibility="private", show_progress="hidden"
    )
    page, item = places
    for opened in (page.load, item.select):
        opened(adding.look, None, added.models, api_visibility="private", show_progress="hidden")


def _digest(html: str) -> str:
    return hashlib.sha256(html.encode()).hexdigest()
