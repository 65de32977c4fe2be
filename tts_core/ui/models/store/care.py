"""Two parts of the panel around the models' folder: updates on the hubs, and leftover files that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.models.store.reports import Leftover
from tts_core.services import Services
from tts_core.ui.models.store import html
from tts_core.ui.models.store.work import StoreWork, heading
from tts_core.ui.models.view import views_of
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.fragments import size
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class CarePanel:
    check: gr.Button
    updates: gr.HTML
    look: gr.Button
    leftovers: gr.HTML
    clean: gr.Button
    listed: gr.State
    """The leftovers that are shown, a tuple."""


def render(words: Words) -> CarePanel:
    heading(words, "updates")
    check = gr.Button(words("store.check_updates"), elem_id="store-check", elem_classes="studio-alone")
    updates = gr.HTML(js_on_load=None, elem_id="store-updates")
    heading(words, "leftovers")
    look = gr.Button(words("store.look"), elem_id="store-look", elem_classes="studio-alone")
    leftovers = gr.HTML(js_on_load=None, elem_id="store-leftovers")
    clean = gr.Button("", visible=False, variant="stop", elem_id="store-clean", elem_classes="studio-alone")
    return CarePanel(check, updates, look, leftovers, clean, gr.State(()))


def wire(panel: CarePanel, services: Services, words: Words) -> None:
    store, work = services.store, StoreWork(words)
    names = {view.status.key: view.name(words) for view in views_of(services.models.statuses())}

    def updates(request: gr.Request) -> Iterator[str]:
        """The list of updates, which grows by one model after the other as the hubs answer."""
        work.check(request)
        reports = []
        try:
            yield fragments.busy(words("store.asking", {"model": next(iter(names.values()))}))
            for report in store.updates(list(names)):
                reports.append(report)
                left = list(names)[len(reports) :]
                asking = fragments.busy(words("store.asking", {"model": names[left[0]]})) if left else ""
                yield html.update_list(words, reports, names) + asking
        except StudioError as error:
            yield html.update_list(words, reports, names) + html.failure(words, error)

    def look(request: gr.Request) -> list[Any]:
        work.check(request)
        listed = store.leftovers()
        return [html.leftover_list(words, listed), *offer(listed)]

    def offer(listed: tuple[Leftover, ...]) -> list[Any]:
        going = [leftover for leftover in listed if not leftover.is_recent]
        label = words("store.clean", {"size": size(sum(leftover.bytes for leftover in going))})
        return [gr.update(value=label, visible=bool(going)), listed]

    def clean(listed: tuple[Leftover, ...], request: gr.Request) -> list[Any]:
        outcome = work.report(lambda: html.cleaned(words, store.clean(listed)), request)
        return [outcome, *offer(())]

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    panel.check.click(updates, None, panel.updates, **private)
    panel.look.click(look, None, [panel.leftovers, panel.clean, panel.listed], **private)
    panel.clean.click(clean, panel.listed, [panel.leftovers, panel.clean, panel.listed], **private)
