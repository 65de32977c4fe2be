"""What guests see of the library. The only way from a saved voice to them: whatever a record gains, they are told these
fields and no others, and search in them alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tts_core.domain.errors import UnknownVoice
from tts_core.voices.record import SavedVoice, VoiceKind


@dataclass(frozen=True, slots=True)
class PublicVoice:
    id: str
    name: str
    kind: VoiceKind
    language: str


def public_voice(voice: SavedVoice) -> PublicVoice:
    """Raises UnknownVoice for one that was deleted."""
    if voice.is_deleted:
        raise UnknownVoice(voice=voice.id)
    return PublicVoice(voice.id, voice.name, voice.kind, voice.language)


def public_voices(voices: Iterable[SavedVoice], search: str = "") -> tuple[PublicVoice, ...]:
    """Those that were not deleted, by name; `search` looks in names, kinds and languages."""
    words = search.casefold().split()
    shown = (public_voice(voice) for voice in voices if not voice.is_deleted)
    found = [voice for voice in shown if all(word in _searched(voice) for word in words)]
    return tuple(sorted(found, key=lambda voice: (voice.name.casefold(), voice.id)))


def _searched(voice: PublicVoice) -> str:
    return f"{voice.name} {voice.kind.value} {voice.language}".casefold()
