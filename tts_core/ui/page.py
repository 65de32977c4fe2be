"""A page in one language: header, tabs, footer. Everything is rendered before anything is wired."""

from __future__ import annotations

import gradio as gr

from tts_core.access.visitor import Role
from tts_core.services import Services
from tts_core.ui.clone import tab as clone_tab
from tts_core.ui.clone.tab import CloneTab
from tts_core.ui.design import tab as design_tab
from tts_core.ui.design.tab import DesignTab
from tts_core.ui.endpoints import (
    demo as demo_endpoints,
    downloads as download_endpoints,
    studio as endpoints,
    voices as voice_endpoints,
)
from tts_core.ui.gradio_patches import GuardedBlocks
from tts_core.ui.library import guests as guest_library, tab as library_tab
from tts_core.ui.models import tab as models_tab
from tts_core.ui.speak import tab as speak_tab, voice_use
from tts_core.ui.speak.handler import SpeakHandler
from tts_core.ui.speak.stream import routes_of
from tts_core.ui.speak.tab import SpeakTab
from tts_core.ui.studio import tab as studio_tab
from tts_core.ui.system import share_banner, tab as system_tab
from tts_core.ui.widgets import fragments, memory
from tts_core.ui.words import Words, load_words

PAGE_PATHS = {"en": "/", "zh": "/zh"}
"""The path of each language's page; every text in it is in that language, messages at run time included."""

ALL_CHOICES = 10_000
"""More than any list has: None would not reach the browser, which then shows a hundred."""


def build_page(services: Services, language: str, audience: Role = Role.ADMIN) -> GuardedBlocks:
    """Build the page. `audience`: the role of its visitors. What guests may not do is not on their page, so it can't be
    asked for there."""
    words = load_words(language, audience)
    up = "" if language == "en" else "../"
    other = "zh" if language == "en" else "en"
    logout = f"{up or './'}logout" if words.is_for_guests or services.settings.needs_login else ""
    page = GuardedBlocks(words, services.settings.paths.page_cache_dir)
    with page:
        gr.HTML(fragments.header(words, f"{up or './'}?lang={other}", logout), js_on_load=None)
        handler = SpeakHandler(services.synthesis, services.finder, services.jobs, services.live, words)
        if words.is_for_guests:
            _fill_for_guests(page, services, handler, words)
        else:
            _fill(page, services, handler, words)
        gr.HTML(fragments.footer(words, f"{up}docs"), js_on_load=None)
        endpoints.publish(services, handler, for_guests=words.is_for_guests)
        voice_endpoints.publish(services, for_guests=words.is_for_guests)
        demo_endpoints.publish(services, words)
        _spare_progress(page)
        _show_all_choices(page)
    page.queue(max_size=64)
    page.routes = routes_of(services, handler, page.files)
    return page


def _show_all_choices(page: gr.Blocks) -> None:
    """Let drop-down lists have all their entries at once; one that stood far below would not be in sight on opening."""
    for block in page.blocks.values():
        if isinstance(block, gr.Dropdown):
            block.num_choices_shown = ALL_CHOICES


def _spare_progress(page: gr.Blocks) -> None:
    """Let events that show no progress report it to one invisible widget. Gradio else writes each change of each event
    into all its outputs and looks them up one by one, a second of work before the page can be used."""
    unseen = gr.State()
    for event in page.fns.values():
        if event.show_progress == "hidden" and event.show_progress_on is None:
            event.show_progress_on = [unseen]


def _fill(page: gr.Blocks, services: Services, handler: SpeakHandler, words: Words) -> None:
    banner = share_banner.render(words)
    with gr.Tabs(elem_id="studio-tabs", overflow_behavior="wrap"):
        with gr.Tab(words("tab.speak"), id="speak", elem_id="tab-speak") as speak_item:
            speak = speak_tab.render(services, words)
        with gr.Tab(words("tab.studio"), id="studio", elem_id="tab-studio"):
            studio_tab.render(words, "" if words.language == "en" else "../")
        with gr.Tab(words("tab.clone"), id="clone", elem_id="tab-clone") as clone_item:
            clone = clone_tab.render(words)
        with gr.Tab(words("tab.design"), id="design", elem_id="tab-design") as design_item:
            design = design_tab.render(words)
        with gr.Tab(words("tab.library"), id="library", elem_id="tab-library") as library_item:
            library = library_tab.render(words)
        with gr.Tab(words("tab.models"), id="models", elem_id="tab-models") as models_item:
            models = models_tab.render(services, words)
        with gr.Tab(words("tab.system"), id="system", elem_id="tab-system") as system_item:
            system = system_tab.render(services, words)
    share_banner.wire(banner, page, services, words)
    _remember((speak, clone, design), (speak_item, clone_item, design_item, library_item, models_item, system_item))
    speak_tab.wire(speak, (page, speak_item), services, handler, words)
    clone_tab.wire(clone, (page, clone_item), services, handler, words)
    library_tab.wire(library, (page, library_item), services, words)
    design_tab.wire(design, design_item, services, handler, words)
    kept = [panel.status for panel in (clone.save, design.keep) if panel is not None]
    for source in (library.rows, *kept):
        voice_use.wire(source, speak, services, words)
    models_tab.wire(models, models_item, page, services, words)
    system_tab.wire(system, system_item, services, words)
    download_endpoints.publish(services)


def _fill_for_guests(page: gr.Blocks, services: Services, handler: SpeakHandler, words: Words) -> None:
    gr.HTML(f'<p id="studio-for-guests" class="studio-hint">{words("guest.intro")}</p>', js_on_load=None)
    with gr.Tabs(elem_id="studio-tabs", elem_classes="studio-of-guests", overflow_behavior="wrap"):
        with gr.Tab(words("tab.speak"), id="speak", elem_id="tab-speak") as speak_item:
            speak = speak_tab.render(services, words)
        with gr.Tab(words("tab.clone"), id="clone", elem_id="tab-clone") as clone_item:
            clone = clone_tab.render(words)
        with gr.Tab(words("tab.design"), id="design", elem_id="tab-design") as design_item:
            design = design_tab.render(words)
        with gr.Tab(words("tab.library"), id="library", elem_id="tab-library") as library_item:
            library = guest_library.render(words)
    _remember((speak, clone, design), (speak_item, clone_item, design_item, library_item))
    speak_tab.wire(speak, (page, speak_item), services, handler, words)
    clone_tab.wire(clone, (page, clone_item), services, handler, words)
    design_tab.wire(design, design_item, services, handler, words)
    guest_library.wire(library, (page, library_item), services, words)
    voice_use.wire(library.rows, speak, services, words)


def _remember(tabs: tuple[SpeakTab, CloneTab, DesignTab], items: tuple[gr.Tab, ...]) -> None:
    """Keep in the browser what is typed and chosen, and which tab is open."""
    speak, clone, design = tabs
    for name, tab in zip(memory.FORMS, tabs, strict=True):
        memory.keep_form(name, tab)
    memory.keep(speak.is_chosen, f"{speak.voice.elem_id}-chosen")
    names = [panel.name for panel in (clone.save, design.keep) if panel is not None]
    memory.keep_all([speak.seed_locked, *names, *([clone.save.consent_note] if clone.save else [])])
    memory.keep_tab(items)
