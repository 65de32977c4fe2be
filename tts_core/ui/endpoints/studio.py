"""The page's named endpoints for programs, beside the Speak tab's own: the same use cases, data in and data out."""

from __future__ import annotations

from typing import Any

import gradio as gr

from tts_core.domain.engine import never
from tts_core.domain.errors import StudioError
from tts_core.models.status import ModelStatus
from tts_core.services import Services
from tts_core.ui.speak.handler import SpeakHandler


def publish(services: Services, handler: SpeakHandler, *, for_guests: bool) -> None:
    """Add the endpoints; call it inside the page's Blocks. The names are a contract, pinned by a test."""
    models, synthesis = services.models, services.synthesis

    def list_voices() -> list[dict[str, str]]:
        """The voices that can speak now, best first."""
        return [{"id": voice.id, "name": voice.name, "engine": voice.engine} for voice in synthesis.voices()]

    def list_languages(voice: str) -> list[dict[str, str]]:
        """The languages of a voice: codes for `synthesize` and English names, "auto" first."""
        try:
            found = synthesis.capabilities(services.finder.find(name=voice))
        except StudioError as error:
            raise gr.Error(error.message, print_exception=False) from error
        return [{"code": language.code, "name": language.name} for language in found.languages]

    def list_models() -> list[dict[str, Any]]:
        """Every model of the catalogue with its state on this machine's disk."""
        return [_summary(status) for status in models.statuses()]

    def validate_model(key: str, deep: bool) -> dict[str, Any]:
        """Look at one model's files; `deep` reads every byte and compares its sha256."""
        try:
            *_, status = models.validate(key, deep=deep, cancelled=never)
        except StudioError as error:
            raise gr.Error(error.message, print_exception=False) from error
        assert isinstance(status, ModelStatus)  # noqa: S101 - the last event of every validation
        return _summary(status)

    def stop(request: gr.Request) -> bool:
        """Stop what this session has being spoken; what was made is kept. False when nothing was."""
        return handler.stop(request.session_hash or "")

    gr.events.api(stop, api_name="stop", queue=False)
    for function in (list_voices, list_languages, list_models, *(() if for_guests else (validate_model,))):
        gr.events.api(function, api_name=function.__name__)


def _summary(status: ModelStatus) -> dict[str, Any]:
    return {
        "key": status.key,
        "status": status.state.value,
        "valid": status.valid,
        "verification": status.verification.value,
        "missing": list(status.missing),
        "problems": [
            {"file": problem.file, "code": problem.code, "message": problem.message} for problem in status.problems
        ],
        "bytes_done": status.bytes_done,
        "bytes_total": status.bytes_total,
    }
