"""A closer look at one model: validation with its progress, details, the way by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.domain.errors import Cancelled, StudioError
from tts_core.domain.events import CheckProgress
from tts_core.models.status import ModelStatuses
from tts_core.services import Services
from tts_core.ui.models.details import model_details
from tts_core.ui.models.folder import show_folder
from tts_core.ui.models.view import ModelView
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.session_stops import SessionStops
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class ModelChecks:
    key: gr.Dropdown
    validate: gr.Button
    deep_validate: gr.Button
    stop: gr.Button
    open_folder: gr.Button
    rescan: gr.Button
    result: gr.HTML
    hf_command: gr.Textbox
    ms_command: gr.Textbox
    folder: gr.Textbox

    @property
    def chosen_outputs(self) -> list[Any]:
        """The widgets that show the chosen model."""
        return [self.result, self.hf_command, self.ms_command, self.folder]


def render(services: Services, words: Words, choices: list[tuple[str, str]], *, can_open: bool) -> ModelChecks:
    """Render the panel. `choices`: (name, key) of each model."""
    gr.HTML(f'<h2 tabindex="-1" id="models-closer">{words("models.closer")}</h2>', js_on_load=None)
    key = gr.Dropdown(choices, value=choices[0][1], label=words("models.choose"), elem_id="models-key")
    with gr.Row(elem_classes="studio-actions"):
        validate = gr.Button(words("models.validate"), elem_id="models-validate", min_width=110)
        deep = gr.Button(words("models.deep_validate"), elem_id="models-deep-validate", min_width=130)
        stop = gr.Button(words("models.stop"), interactive=False, elem_id="models-stop", min_width=130)
        open_button = gr.Button(words("models.open_folder"), elem_id="models-open", min_width=110, visible=can_open)
        rescan = gr.Button(words("models.rescan"), elem_id="models-rescan", min_width=90)
    gr.HTML(fragments.hint(words("models.deep_info")), js_on_load=None)
    result = gr.HTML(js_on_load=None, elem_id="models-result", min_height=90)
    with gr.Accordion(words("models.manual"), open=False, elem_id="models-manual"):
        gr.HTML(fragments.hint(words("models.manual_intro")), js_on_load=None)
        hf_command = _command(words("models.manual_hf"), words("models.manual_hf_install"))
        ms_command = _command(words("models.manual_ms"), words("models.manual_ms_install"))
        folder = _command(words("models.manual_folder"), "")
    return ModelChecks(key, validate, deep, stop, open_button, rescan, result, hf_command, ms_command, folder)


def _command(label: str, info: str) -> gr.Textbox:
    return gr.Textbox(label=label, info=info or None, interactive=False, buttons=["copy"], elem_classes="studio-mono")


def chosen_updates(services: Services, words: Words, view: ModelView) -> list[Any]:
    """Updates for `chosen_outputs`."""
    manual = services.models.manual_download(view.status.key)
    commands = [
        gr.update(value=command, visible=bool(command)) for command in (manual.hf_command, manual.modelscope_command)
    ]
    return [model_details(words, view), *commands, str(manual.folder)]


def wire(checks: ModelChecks, services: Services, words: Words) -> None:
    def open_chosen(key: str, request: gr.Request) -> None:
        show_folder(services, words, key, request)

    checks.open_folder.click(open_chosen, checks.key, None, api_visibility="private")
    _wire_checks(checks, RunningChecks(services.models, words), words)


class RunningChecks:
    """The validation that each browser session runs, so that Stop reaches it."""

    def __init__(self, models: ModelStatuses, words: Words) -> None:
        self._models = models
        self._words = words
        self._stops = SessionStops()

    def run(self, key: str, session: str, *, deep: bool) -> Iterator[str | CheckProgress]:
        """Run a check: yields its progress, then the details as HTML. A second check of the session stops the first."""
        with self._stops.running(session) as stop:
            try:
                for event in self._models.validate(key, deep=deep, cancelled=stop.is_set):
                    if isinstance(event, CheckProgress):
                        yield event
                    else:
                        yield model_details(self._words, ModelView(event))
            except Cancelled:
                yield fragments.hint(self._words("models.check_stopped"))

    def stop(self, session: str) -> None:
        self._stops.stop(session)


def _wire_checks(tab: ModelChecks, checks: RunningChecks, words: Words) -> None:
    buttons = [tab.validate, tab.deep_validate, tab.stop]

    def busy() -> list[Any]:
        return [gr.update(interactive=False), gr.update(interactive=False), gr.update(interactive=True)]

    def idle() -> list[Any]:
        return [gr.update(interactive=True), gr.update(interactive=True), gr.update(interactive=False)]

    for button, deep in ((tab.validate, False), (tab.deep_validate, True)):
        started = button.click(busy, None, buttons, queue=False, api_visibility="private", show_progress="hidden")
        checked = started.then(
            _check_event(checks, words, deep=deep),
            tab.key,
            tab.result,
            api_visibility="private",
            concurrency_limit=None,
        )
        checked.then(idle, None, buttons, queue=False, api_visibility="private", show_progress="hidden")

    def stop_check(request: gr.Request) -> None:
        checks.stop(request.session_hash or "")

    tab.stop.click(stop_check, None, None, queue=False, api_visibility="private")


def _check_event(checks: RunningChecks, words: Words, *, deep: bool) -> Any:
    # gr.Progress as a default value is how Gradio hands an event its progress bar.
    def check(key: str, request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        result = ""
        try:
            for event in checks.run(key, request.session_hash or "", deep=deep):
                if isinstance(event, CheckProgress):
                    total = event.total_bytes or 1
                    progress(event.done_bytes / total, desc=words("models.checking", {"file": event.file}))
                else:
                    result = event
        except StudioError as error:
            raise gr.Error(escape(words.error(error)), print_exception=False) from error
        return result

    return check
