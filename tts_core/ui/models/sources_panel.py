"""The sources of models: in the order in which a download asks them, with the user's own choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.models.download_task import HUBS
from tts_core.platform.paths import ASSETS_DIR
from tts_core.platform.settings.preferences import MIRROR_VARIABLE, RESUME_VARIABLE
from tts_core.platform.settings.sources import MIRROR_ENDPOINT
from tts_core.services import Services
from tts_core.ui.models.source_choices import Latencies, SourceChoices
from tts_core.ui.models.source_list import SourceMove, source_list
from tts_core.ui.models.store.work import is_here
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.download_words import source_choices
from tts_core.ui.widgets.scripts import CLEAR
from tts_core.ui.words import Words

LIST_SCRIPT = (ASSETS_DIR / "scripts" / "source_list.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class SourcesPanel:
    chosen: gr.Dropdown
    """The source for the next download, whose choices name the addresses."""
    order: gr.HTML
    """The line that says who decides the order."""
    rows: gr.HTML
    test: gr.Button
    automatic: gr.Button
    message: gr.HTML
    mirror: gr.Textbox
    save_mirror: gr.Button
    resume: gr.Checkbox
    latencies: gr.State
    """The last test's results; None until this browser has tested the sources."""

    @property
    def order_outputs(self) -> list[Any]:
        return [self.order, self.rows, self.automatic, self.latencies, self.message]


def render(services: Services, words: Words) -> SourcesPanel:
    choices = SourceChoices(services)
    with gr.Accordion(f"⚙ {words('sources.title')}", open=False, elem_id="models-sources"):
        chosen = gr.Dropdown(
            source_choices(words, choices.settings),
            value="auto",
            label=words("models.source"),
            info=words("models.source_info"),
            filterable=False,
            elem_id="models-source",
        )
        gr.HTML(fragments.hint(words("sources.info")), js_on_load=None)
        order = gr.HTML(js_on_load=None, elem_id="sources-order")
        rows = gr.HTML(js_on_load=LIST_SCRIPT, elem_id="sources-list")
        with gr.Row(elem_classes="studio-actions"):
            test = gr.Button(words("sources.test"), elem_id="sources-test", min_width=150)
            automatic = gr.Button(words("sources.automatic"), elem_id="sources-automatic", min_width=150, visible=False)
        message = gr.HTML(js_on_load=None, elem_id="sources-message")
        fixed = words("sources.fixed", {"name": MIRROR_VARIABLE}) if choices.is_fixed(MIRROR_VARIABLE) else ""
        with gr.Row(elem_classes="studio-field"):
            mirror = gr.Textbox(
                label=words("sources.mirror"),
                info=fixed or words("sources.mirror_info", {"usual": MIRROR_ENDPOINT}),
                placeholder=MIRROR_ENDPOINT,
                max_lines=1,
                interactive=not fixed,
                min_width=260,
                elem_id="sources-mirror",
            )
            save = gr.Button(
                words("sources.save_mirror"), elem_id="sources-save-mirror", min_width=150, visible=not fixed
            )
        fixed = words("sources.fixed", {"name": RESUME_VARIABLE}) if choices.is_fixed(RESUME_VARIABLE) else ""
        resume = gr.Checkbox(
            label=words("sources.resume"),
            info=fixed or words("sources.resume_info"),
            interactive=not fixed,
            elem_id="sources-resume",
        )
    return SourcesPanel(chosen, order, rows, test, automatic, message, mirror, save, resume, gr.State(None))


class _Handlers:
    """The handlers of the panel's events; each returns updates for `order_outputs`, followed by those that it names."""

    def __init__(self, choices: SourceChoices, words: Words) -> None:
        self._choices = choices
        self._words = words

    def opened(self, latencies: Latencies | None, request: gr.Request) -> list[Any]:
        """Updates followed by those for the mirror, its button, resuming, the source for the next download."""
        choices, words = self._choices, self._words
        is_fixed = choices.is_fixed(MIRROR_VARIABLE)
        may_change = is_here(request) and not is_fixed
        info: dict[str, Any] = {} if may_change or is_fixed else {"info": words("sources.mirror_only_here")}
        mirror = gr.update(value=choices.own_mirror, interactive=may_change, **info)
        return [*self._shown(latencies), mirror, gr.update(visible=may_change), choices.resumes, self._sources()]

    def testing(self) -> str:
        return fragments.busy(self._words("sources.testing"))

    def test(self, latencies: Latencies | None) -> list[Any]:
        words = self._words
        try:
            latencies = self._choices.measure()
        except StudioError as error:
            return self._shown(latencies, fragments.alert(words("sources.not_tested"), words.error(error)))
        return self._shown(latencies, answers(words, len(latencies)))

    def move(self, event: gr.EventData, latencies: Latencies | None) -> list[Any]:
        step = SourceMove(event.action)
        return self._saved(latencies, lambda: self._choices.move(event.key, step, latencies), "sources.order_saved")

    def automatic(self, latencies: Latencies | None) -> list[Any]:
        return self._saved(latencies, self._choices.automatic, "sources.order_forgotten")

    def set_mirror(self, address: str, latencies: Latencies | None, request: gr.Request) -> list[Any]:
        """Save the mirror's address; the updates are followed by those for the mirror, the source for the next
        download."""
        if not is_here(request):
            words = self._words
            alert = fragments.alert(words("sources.not_saved"), words("sources.mirror_only_here"))
            return [*self._shown(latencies, alert), gr.skip(), gr.skip()]
        before = self._choices.own_mirror
        outcome = self._outcome(lambda: self._choices.set_mirror(address), "sources.mirror_saved")
        now = self._choices.own_mirror
        is_refused = now == before and address.strip()  # the typed address stays, to be corrected
        shown = self._shown(latencies if now == before else None, outcome)
        return [*shown, gr.skip() if is_refused else now, self._sources()]

    def set_resume(self, resumes: bool, latencies: Latencies | None) -> list[Any]:
        message_key = "sources.resume_on" if resumes else "sources.resume_off"
        return self._saved(latencies, lambda: self._choices.set_resume(resumes), message_key)

    def _saved(self, latencies: Latencies | None, change: Callable[[], None], message_key: str) -> list[Any]:
        outcome = self._outcome(change, message_key)
        return self._shown(latencies, outcome)

    def _outcome(self, change: Callable[[], None], message_key: str) -> str:
        words = self._words
        try:
            change()
        except StudioError as error:
            return fragments.alert(words("sources.not_saved"), words.error(error))
        return fragments.done(words(message_key))

    def _shown(self, latencies: Latencies | None, message: str = "") -> list[Any]:
        choices, words = self._choices, self._words
        variable, is_own = choices.order_fixed_by, choices.is_own_order
        line = words("sources.fixed", {"name": variable}) if variable else ""
        line = line or words("sources.order_own" if is_own else "sources.order_automatic")
        return [
            f'<p class="studio-order">{line}</p>',
            source_list(words, choices.standing(latencies), latencies, can_move=not variable),
            gr.update(visible=is_own and not variable),
            latencies,
            message,
        ]

    def _sources(self) -> Any:
        return gr.update(choices=source_choices(self._words, self._choices.settings))


def answers(words: Words, count: int) -> str:
    """The outcome of a test: `count` sources have answered."""
    if not count:
        return fragments.alert(words("sources.none_answered"), words("sources.none_answered_info"))
    outcome = words("sources.tested", {"count": count, "total": len(HUBS)})
    return fragments.done(outcome) if count == len(HUBS) else f'<p class="studio-order" role="status">{outcome}</p>'


def wire(panel: SourcesPanel, page: gr.Blocks, services: Services, words: Words) -> None:
    chosen = panel.chosen
    handlers = _Handlers(SourceChoices(services), words)
    listed, latencies = panel.order_outputs, panel.latencies
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    page.load(handlers.opened, latencies, [*listed, panel.mirror, panel.save_mirror, panel.resume, chosen], **quiet)
    testing = panel.test.click(handlers.testing, None, panel.message, queue=False, **quiet)
    testing.then(handlers.test, latencies, listed, **quiet)
    panel.rows.click(handlers.move, latencies, listed, trigger_mode="multiple", **quiet)
    panel.automatic.click(handlers.automatic, latencies, listed, **quiet)
    for event in (panel.save_mirror.click, panel.mirror.submit):
        event(handlers.set_mirror, [panel.mirror, latencies], [*listed, panel.mirror, chosen], **quiet)
    panel.mirror.input(None, None, panel.message, js=CLEAR, **quiet)
    panel.resume.input(handlers.set_resume, [panel.resume, latencies], listed, **quiet)
