"""Downloading for programs: the page's named endpoints that start and steer downloads, and delete a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.models.download_report import facts
from tts_core.models.download_task import Provider
from tts_core.models.faults import UnknownProvider
from tts_core.services import Services


def publish(services: Services) -> None:
    """Add the endpoints; call it inside the page's Blocks. The names are a contract, pinned by a test."""
    downloads, store = services.downloads, services.store

    def download_model(key: str, provider: Provider = "auto") -> dict[str, Any]:
        """Queue a model's download, or join the one that is there, and return at once: ask `list_downloads` how far
        it is. `provider`: auto, hf, mirror or modelscope."""
        with _errors_for_programs():
            if provider not in get_args(Provider):
                raise UnknownProvider(provider=provider, choices=", ".join(get_args(Provider)))
            return facts(downloads.start(key, provider))

    def list_downloads() -> list[dict[str, Any]]:
        """Every download since start: running, waiting in their order, paused, then finished ones."""
        return [facts(task) for task in downloads.tasks()]

    def pause_download(key: str) -> dict[str, Any]:
        """Pause a download. Every byte is kept; `resume_download` goes on."""
        with _errors_for_programs():
            return facts(downloads.pause(key))

    def resume_download(key: str) -> dict[str, Any]:
        """Go on with a paused or failed download."""
        with _errors_for_programs():
            return facts(downloads.resume(key))

    def cancel_download(key: str) -> dict[str, Any]:
        """Take a download out of the queue. Every byte is kept for the next start."""
        with _errors_for_programs():
            return facts(downloads.cancel(key))

    def delete_model(key: str) -> dict[str, Any]:
        """Delete a model's files from the disk; other files in its folder stay and are named in `left`."""
        with _errors_for_programs():
            removal = store.delete(key)
        return {
            "key": removal.key,
            "freed_bytes": removal.freed_bytes,
            "shared_bytes": removal.shared_bytes,
            "left": list(removal.left),
        }

    for function in (download_model, list_downloads, pause_download, resume_download, cancel_download, delete_model):
        gr.events.api(function, api_name=function.__name__)


@contextmanager
def _errors_for_programs() -> Iterator[None]:
    try:
        yield
    except StudioError as error:
        raise gr.Error(error.message, print_exception=False) from error
