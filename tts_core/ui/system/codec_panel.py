"""The codec tool, a part of the System tab: a recording to codes and back, both to be heard."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from tts_core.audio.files import to_int16
from tts_core.domain.errors import StudioError
from tts_core.engines.qwen.round_trip import MAX_SECONDS, round_trip
from tts_core.platform.whole_files import make_private, open_private
from tts_core.services import Services
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.scripts import CLEAR
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class CodecPanel:
    key: gr.Dropdown
    recording: gr.Audio
    run: gr.Button
    decoded: gr.Audio
    codes: gr.File
    message: gr.HTML


def render(words: Words) -> CodecPanel:
    with gr.Accordion(words("codec.title"), open=False, elem_id="system-codec"):
        gr.HTML(fragments.hint(words("codec.info", {"seconds": f"{MAX_SECONDS:g}"})), js_on_load=None)
        with gr.Row():
            recording = gr.Audio(label=words("codec.recording"), type="filepath", elem_id="codec-recording")
            with gr.Column():
                key = gr.Dropdown([], label=words("models.column_model"), elem_id="codec-key")
                run = gr.Button(words("codec.run"), interactive=False, elem_id="codec-run")
                message = gr.HTML(js_on_load=None, elem_id="codec-message")
                decoded = gr.Audio(label=words("codec.decoded"), interactive=False, elem_classes="studio-audio")
                codes = gr.File(label=words("codec.codes"), interactive=False, visible=False, elem_id="codec-codes")
    return CodecPanel(key, recording, run, decoded, codes, message)


def wire(panel: CodecPanel, item: gr.Tab, services: Services, words: Words) -> None:
    def opened() -> list[Any]:
        ready = [
            (words.model(status.entry.display_name), status.key)
            for status in services.models.statuses()
            if status.valid
        ]
        message = "" if ready else fragments.note(words("codec.no_model"), words("speak.to_models"), "tab-models")
        works = gr.update(interactive=bool(ready))
        return [gr.update(choices=ready, value=ready[0][1] if ready else None), works, message]

    def convert(recording: str | None, key: str | None) -> list[Any]:
        if recording is None or key is None:
            return [None, gr.update(visible=False), fragments.hint(words("codec.nothing"))]
        try:
            result = round_trip(services.models.folder(key), Path(recording), services.settings.device)
        except StudioError as error:
            alert = fragments.alert(words("system.not_done"), words.error(error))
            return [None, gr.update(visible=False), alert]
        facts = {"frames": len(result.codes), "seconds": f"{len(result.samples) / result.sample_rate:.2f}"}
        file = services.settings.paths.page_cache_dir / secrets.token_hex(16) / "codes.npy"
        make_private(file.parent)
        with open_private(file, "wb") as stream:
            np.save(stream, result.codes)
        sound = (result.sample_rate, to_int16(result.samples))  # int16: Gradio would change the level of floats
        return [sound, gr.update(value=str(file), visible=True), fragments.hint(words("codec.facts", facts))]

    item.select(opened, None, [panel.key, panel.run, panel.message], api_visibility="private", show_progress="hidden")
    for changed in (panel.recording.input, panel.key.input):
        changed(None, None, panel.message, js=CLEAR, api_visibility="private", show_progress="hidden")
    panel.run.click(
        convert, [panel.recording, panel.key], [panel.decoded, panel.codes, panel.message], api_visibility="private"
    )
