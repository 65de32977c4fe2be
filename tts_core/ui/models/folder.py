"""Showing a model's folder in the file manager, for a person at this machine."""

from __future__ import annotations

from html import escape

import gradio as gr

from tts_core.platform.desktop import asked_from_this_machine, open_folder
from tts_core.services import Services
from tts_core.ui.words import Words


def show_folder(services: Services, words: Words, key: str, request: gr.Request) -> None:
    """Open the folder, or its parent while it does not exist, and show the outcome. Raises UnknownModelKey."""
    folder = services.models.folder(key)
    target = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
    asker = request.client.host if request.client else None
    if asked_from_this_machine(asker, request.headers) and open_folder(services.settings, target):
        gr.Info(words("models.opened"))
    else:
        gr.Info(escape(words("models.not_opened", {"path": target})))
