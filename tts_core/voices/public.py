"""The part of the library that guests see. Saved voices reach them in this form only: whatever fields a record gains,
guests see and search these alone."""

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
    """The voice as guests see it. Raises UnknownVoice for one that was deleted."""
    if voice.is_deleted:
        raise UnknownVoice(voice=voice.id)
    return PublicVoice(voice.id, voice.name, voice.kind, voice.language)


def public_voices(voices: Iterable[SavedVoice], search: str = "") -> tuple[PublicVoice, ...]:
    """The voices that were not deleted, by name; `search` looks in names, kinds and languages."""
    words = search.casefold().split()
    shown = (public_voice(voice) for voice in voices if not voice.is_deleted)
    found = [voice for voice in shown if all(word in _searched(voice) for word in words)]
    return tuple(sorted(found, key=lambda voice: (voice.name.casefold(), voice.id)))


def _searched(voice: PublicVoice) -> str:
    return f"{voice.name} {voice.kind.value} {voice.language}".casefold()
