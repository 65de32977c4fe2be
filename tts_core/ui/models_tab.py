"""The Models tab: what is on disk, whether it is sound, and how to get the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.desktop import asked_from_this_machine, can_open_folders, open_folder
from tts_core.errors import Cancelled, StudioError
from tts_core.events import CheckProgress
from tts_core.model_manager import ModelManager
from tts_core.services import Services
from tts_core.ui import fragments
from tts_core.ui.words import Words

REFRESH_S = 3.0


@dataclass(frozen=True, slots=True)
class ModelsTab:
    summary: gr.HTML
    table: gr.HTML
    background: gr.HTML
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
    timer: gr.Timer


def render(services: Services, words: Words) -> ModelsTab:
    models = services.models
    keys = models.keys()
    choices = [(entry.display_name, key) for key, entry in ((key, models.entry(key)) for key in keys)]
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("models.intro")}</p>', js_on_load=None)
        summary = gr.HTML(js_on_load=None, elem_id="models-summary")
        table = gr.HTML(js_on_load=None, elem_id="models-table")
        background = gr.HTML(js_on_load=None, elem_id="models-background")
    with gr.Column(elem_classes="studio-card"):
        key = gr.Dropdown(choices, value=keys[0], label=words("models.choose"), elem_id="models-key")
        with gr.Row(elem_classes="studio-actions"):
            validate = gr.Button(words("models.validate"), variant="primary", elem_id="models-validate", min_width=110)
            deep = gr.Button(words("models.deep_validate"), elem_id="models-deep-validate", min_width=130)
            stop = gr.Button(words("models.stop"), interactive=False, elem_id="models-stop", min_width=130)
            open_button = gr.Button(
                words("models.open_folder"),
                elem_id="models-open",
                min_width=110,
                visible=can_open_folders(services.settings),
            )
            rescan = gr.Button(words("models.rescan"), elem_id="models-rescan", min_width=90)
        gr.HTML(fragments.hint(words("models.deep_info")), js_on_load=None)
        result = gr.HTML(js_on_load=None, elem_id="models-result", min_height=90)
        with gr.Accordion(words("models.manual"), open=False, elem_id="models-manual"):
            gr.HTML(fragments.hint(words("models.manual_intro")), js_on_load=None)
            hf_command = _command(words("models.manual_hf"), words("models.manual_hf_install"))
            ms_command = _command(words("models.manual_ms"), words("models.manual_ms_install"))
            folder = _command(words("models.manual_folder"), "")
    timer = gr.Timer(REFRESH_S)
    return ModelsTab(
        summary=summary,
        table=table,
        background=background,
        key=key,
        validate=validate,
        deep_validate=deep,
        stop=stop,
        open_folder=open_button,
        rescan=rescan,
        result=result,
        hf_command=hf_command,
        ms_command=ms_command,
        folder=folder,
        timer=timer,
    )


def _command(label: str, info: str) -> gr.Textbox:
    return gr.Textbox(label=label, info=info or None, interactive=False, buttons=["copy"], elem_classes="studio-mono")


class Checks:
    """The validation that each browser session runs, so that Stop reaches it."""

    def __init__(self, models: ModelManager, words: Words) -> None:
        self._models = models
        self._words = words
        self._lock = threading.Lock()
        self._stops: dict[str, threading.Event] = {}

    def run(self, key: str, session: str, *, deep: bool) -> Iterator[str | CheckProgress]:
        """Progress, then the details as HTML; a second check of the session stops the first."""
        stop = threading.Event()
        with self._lock:
            self._stops.pop(session, stop).set()
            self._stops[session] = stop = threading.Event()
        try:
            for event in self._models.validate(key, deep=deep, cancelled=stop.is_set):
                if isinstance(event, CheckProgress):
                    yield event
                else:
                    yield fragments.model_details(self._words, event)
        except Cancelled:
            yield fragments.hint(self._words("models.check_stopped"))
        finally:
            with self._lock:
                if self._stops.get(session) is stop:
                    del self._stops[session]

    def stop(self, session: str) -> None:
        with self._lock:
            stop = self._stops.get(session)
        if stop is not None:
            stop.set()


def wire(tab: ModelsTab, page: gr.Blocks, services: Services, words: Words) -> None:
    overview = _overview(services.models, services.settings.paths.models_dir, words)
    overview_outputs = [tab.summary, tab.table, tab.background]
    chosen_outputs = [tab.result, tab.hf_command, tab.ms_command, tab.folder]

    def chosen(key: str) -> list[Any]:
        manual = services.models.manual_download(key)
        details = fragments.model_details(words, services.models.status(key))
        commands = [
            gr.update(value=command, visible=bool(command))
            for command in (manual.hf_command, manual.modelscope_command)
        ]
        return [details, *commands, str(manual.folder)]

    page.load(overview, None, overview_outputs, api_visibility="private", show_progress="hidden")
    page.load(chosen, tab.key, chosen_outputs, api_visibility="private", show_progress="hidden")
    tab.timer.tick(overview, None, overview_outputs, api_visibility="private", show_progress="hidden", queue=False)
    tab.key.input(chosen, tab.key, chosen_outputs, api_visibility="private", show_progress="hidden")
    rescanned = tab.rescan.click(overview, None, overview_outputs, api_visibility="private")
    rescanned.then(chosen, tab.key, chosen_outputs, api_visibility="private", show_progress="hidden")
    _wire_checks(tab, Checks(services.models, words), words)

    def open_chosen(key: str, request: gr.Request) -> None:
        folder = services.models.folder(key)
        target = folder if folder.is_dir() else folder.parent
        asker = request.client.host if request.client else None
        if asked_from_this_machine(asker, request.headers) and open_folder(services.settings, target):
            gr.Info(words("models.opened"))
        else:
            gr.Info(words("models.not_opened", {"path": target}))

    tab.open_folder.click(open_chosen, tab.key, None, api_visibility="private")


def _overview(models: ModelManager, models_dir: Path, words: Words) -> Callable[[], list[str]]:
    keys = models.keys()
    names = {key: models.entry(key).display_name for key in keys}

    def overview() -> list[str]:
        statuses = models.statuses()
        ready = sum(status.valid for status in statuses)
        summary = words("models.summary", {"ready": ready, "total": len(statuses)})
        return [
            fragments.path_line(summary, words("models.folder"), models_dir),
            fragments.model_table(words, statuses),
            fragments.background_line(words, models.background, names),
        ]

    return overview


def _wire_checks(tab: ModelsTab, checks: Checks, words: Words) -> None:
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


def _check_event(checks: Checks, words: Words, *, deep: bool) -> Any:
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
            raise gr.Error(words.error(error), print_exception=False) from error
        return result

    return check
