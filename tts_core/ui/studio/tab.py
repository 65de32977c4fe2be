"""The Studio tab: projects of long texts. Its scripts are loaded when it is first opened and talk to the REST routes.

A list of thousands of rows and a form for each would be too much for Gradio's events; the routes are the same that
other clients use, so the page can do nothing that they can't.
"""

from __future__ import annotations

import json
from html import escape

import gradio as gr

from tts_core.ui.words import Words

SCRIPTS = "scripts/studio/main.js"
_PREFIX = "studio."
_START = """
const place = element.querySelector(".project-place");
const load = () => import(new URL(place.dataset.scripts, document.baseURI)).then(({ start }) => start(place));
new IntersectionObserver((seen, observer) => {
  if (!seen.some((one) => one.isIntersecting)) return;
  observer.disconnect();
  load();
}).observe(place);
"""


def render(words: Words, up: str) -> None:
    """`up` leads from the page to the root of the server's addresses."""
    data = {
        "words": json.dumps(_table(words), ensure_ascii=False),
        "api": f"{up}api/studio/projects",
        "voices": f"{up}api/tts/qwen3/speakers",
        "scripts": f"{up}{SCRIPTS}",
    }
    attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in data.items())
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<div class="project-place" {attributes}></div>', js_on_load=_START, elem_id="studio-projects")


def _table(words: Words) -> dict[str, str]:
    """The texts that the scripts show, with the errors that need no numbers in their sentence."""
    own = {key.removeprefix(_PREFIX): text for key, text in words.table.items() if key.startswith(_PREFIX)}
    errors = {
        key.replace(".", "_", 1): text
        for key, text in words.table.items()
        if key.startswith("error.") and "{" not in text
    }
    return own | errors
