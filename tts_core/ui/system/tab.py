"""The System tab: device and why, memory, versions, folders, the newest log lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.services import Services
from tts_core.ui.system import codec_panel, loaded_panel, precision_panel
from tts_core.ui.system.codec_panel import CodecPanel
from tts_core.ui.system.loaded_panel import LoadedPanel
from tts_core.ui.system.precision_panel import PrecisionPanel
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words

LOG_LINES = 200


@dataclass(frozen=True, slots=True)
class SystemTab:
    device: gr.HTML
    memory: gr.HTML
    versions: gr.HTML
    folders: gr.HTML
    log: gr.Textbox
    refresh: gr.Button
    precision: PrecisionPanel
    loaded: LoadedPanel
    codec: CodecPanel


def render(services: Services, words: Words) -> SystemTab:
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320, elem_classes="studio-card"):
            device = gr.HTML(
                fragments.device_section(words, None, services.settings), js_on_load=None, elem_id="system-device"
            )
            precision = precision_panel.render(services, words)
            memory = gr.HTML(js_on_load=None, elem_id="system-memory")
            refresh = gr.Button(words("system.refresh"), elem_id="system-refresh")
            loaded = loaded_panel.render(services, words)
        with gr.Column(min_width=320, elem_classes="studio-card"):
            versions = gr.HTML(fragments.versions_section(words, services.system.versions()), js_on_load=None)
            with gr.Accordion(words("system.licences"), open=False, elem_id="system-licences"):
                gr.HTML(fragments.licences(), js_on_load=None)
            folders = gr.HTML(js_on_load=None, elem_id="system-folders")
            gr.HTML(fragments.kept_section(words), js_on_load=None, elem_id="system-kept")
    with gr.Column(elem_classes="studio-card"):
        log = gr.Textbox(
            label=words("system.log"),
            info=words("system.log_info"),
            placeholder=words("system.log_empty"),
            interactive=False,
            lines=10,
            max_lines=20,
            autoscroll=False,
            buttons=["copy"],
            elem_id="system-log",
            elem_classes="studio-mono",
        )
    with gr.Column(elem_classes="studio-card"):
        codec = codec_panel.render(words)
    return SystemTab(device, memory, versions, folders, log, refresh, precision, loaded, codec)


def wire(tab: SystemTab, item: gr.Tab, services: Services, words: Words) -> None:
    """Wire the tab. `item` is the tab that holds the widgets: what it shows is measured when it opens, not when the
    page loads."""
    system = services.system
    keep_days = services.settings.limits.keep_outputs_days

    def measure() -> list[Any]:
        return [
            fragments.memory_section(words, system.memory()),
            fragments.folders_section(words, system.folders(), keep_days),
            "\n".join(reversed(system.log_tail(LOG_LINES))),
        ]

    def device() -> list[Any]:
        found = system.acceleration()
        section = fragments.device_section(words, found, services.settings)
        return [section, *precision_panel.shown(services, words, found)]

    for event in (item.select, tab.refresh.click):
        event(measure, None, [tab.memory, tab.folders, tab.log], api_visibility="private", show_progress="hidden")
    codec_panel.wire(tab.codec, item, services, words)
    loaded_panel.wire(tab.loaded, item, services, words)
    precision_panel.wire(tab.precision, services, words)
    item.select(device, None, [tab.device, *tab.precision.outputs], api_visibility="private", show_progress="hidden")
