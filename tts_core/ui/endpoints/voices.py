"""The voice library for programs: named endpoints beside the Clone tab's own, data in and data out."""

from __future__ import annotations

from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.services import Services
from tts_core.voices.public import PublicVoice, public_voices
from tts_core.voices.record import SavedVoice


def publish(services: Services, *, for_guests: bool) -> None:
    """Add the endpoints; call it inside the page's Blocks. The names are a contract, pinned by a test."""
    voices = services.voices

    def list_saved_voices(search: str = "") -> list[dict[str, Any]]:
        """The voices of the library, favourites first; `search` looks in names, tags and languages."""
        if for_guests:
            return [public_facts(voice) for voice in public_voices(voices.voices(), search)]
        return [voice_facts(voice) for voice in voices.voices(search=search)]

    def delete_voice(voice: str) -> dict[str, Any]:
        """Delete a saved voice by id or name. The Library tab can bring it back for 30 days."""
        try:
            return voice_facts(voices.delete(services.finder.saved(voice, or_deleted=True).id))
        except StudioError as error:
            raise gr.Error(error.message, print_exception=False) from error

    for function in (list_saved_voices,) if for_guests else (list_saved_voices, delete_voice):
        gr.events.api(function, api_name=function.__name__)


def public_facts(voice: PublicVoice) -> dict[str, Any]:
    """The facts about a voice that guests' programs get."""
    return {
        "id": voice.id,
        "voice": f"library/{voice.id}",
        "name": voice.name,
        "kind": voice.kind.value,
        "language": voice.language,
    }


def voice_facts(voice: SavedVoice) -> dict[str, Any]:
    """The facts about a saved voice that programs get. Paths stay here; `synthesize` speaks with its `voice`."""
    return {
        "id": voice.id,
        "voice": f"library/{voice.id}",
        "name": voice.name,
        "kind": voice.kind.value,
        "model_key": voice.model_key,
        "language": voice.language,
        "speaker": voice.speaker,
        "transcript": voice.ref_text,
        "instruct": voice.instruct,
        "timbre_only": voice.x_vector_only_mode,
        "status": voice.status.value,
        "progress": voice.progress,
        "last_error": voice.last_error,
        "favourite": voice.is_favourite,
        "tags": list(voice.tags),
        "has_consent": bool(voice.meta.get("consent")),
        "deleted": voice.is_deleted,
        "created_at": voice.created_at,
        "updated_at": voice.updated_at,
    }
