"""One page in one language: header, tabs, footer. Everything is rendered before anything is wired."""

from __future__ import annotations

import gradio as gr

from tts_core.services import Services
from tts_core.ui import (
    clone_tab,
    design_tab,
    download_endpoints,
    endpoints,
    fragments,
    library_tab,
    models_tab,
    speak_tab,
    system_tab,
    voice_endpoints,
    voice_use,
)
from tts_core.ui.speak_handlers import SpeakHandler
from tts_core.ui.words import load_words

PAGE_PATHS = {"en": "/", "zh": "/zh"}
"""Where each language's page is mounted; every text in it is in that language, runtime messages included."""


def build_page(services: Services, language: str) -> gr.Blocks:
    words = load_words(language)
    up = "" if language == "en" else "../"
    other = "zh" if language == "en" else "en"
    page: gr.Blocks
    with gr.Blocks(title=words("app.title"), analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gr.HTML(fragments.header(words, f"{up or './'}?lang={other}"), js_on_load=None)
        with gr.Tabs(elem_id="studio-tabs"):
            with gr.Tab(words("tab.speak"), id="speak", elem_id="tab-speak") as speak_item:
                speak = speak_tab.render(services, words)
            with gr.Tab(words("tab.clone"), id="clone", elem_id="tab-clone") as clone_item:
                clone = clone_tab.render(words)
            with gr.Tab(words("tab.design"), id="design", elem_id="tab-design") as design_item:
                design = design_tab.render(words)
            with gr.Tab(words("tab.library"), id="library", elem_id="tab-library") as library_item:
                library = library_tab.render(words)
            with gr.Tab(words("tab.models"), id="models", elem_id="tab-models"):
                models = models_tab.render(services, words)
            with gr.Tab(words("tab.system"), id="system", elem_id="tab-system") as system_item:
                system = system_tab.render(services, words)
        gr.HTML(fragments.footer(words, f"{up}docs"), js_on_load=None)
        handler = SpeakHandler(
            services.synthesis, services.voices.jobs, services.live, words, f"{up}api/tts/qwen3/live/"
        )
        speak_tab.wire(speak, (page, speak_item), services, handler, words)
        clone_tab.wire(clone, (page, clone_item), services, handler, words)
        library_tab.wire(library, (page, library_item), services, words)
        for source in (clone.save.status, library.rows, design.keep.status):
            voice_use.wire(source, speak, services, words)
        design_tab.wire(design, design_item, services, handler, words)
        models_tab.wire(models, page, services, words)
        system_tab.wire(system, system_item, services, words)
        endpoints.publish(services, handler)
        download_endpoints.publish(services)
        voice_endpoints.publish(services)
    page.queue(max_size=64)
    return page
