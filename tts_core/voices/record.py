"""The record of a saved voice: the fields of the library file, which other programs read and write too."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any


class VoiceKind(str, Enum):
    CLONE = "clone"
    """A voice that imitates a recording of somebody."""
    CUSTOM_ROLE = "custom_role"
    """A preset speaker with a style of its own."""
    DESIGN_CLONE = "design_clone"
    """A voice made from a description, kept by cloning what it once said."""


class VoiceStatus(str, Enum):
    UPLOADED = "uploaded"
    CLONING = "cloning"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SavedVoice:
    """A saved voice. A field that the record lacks gets its default: older files have fewer fields."""

    id: str
    name: str
    kind: VoiceKind = VoiceKind.CLONE
    model_key: str = ""
    """The key of the model that speaks the voice."""
    language: str = "auto"
    speaker: str = ""
    """The preset speaker of a custom role."""
    ref_audio_path: str = ""
    """The recording as the model hears it; "" where there is none."""
    ref_audio_url: str = ""
    ref_text: str = ""
    """The text that is spoken in the recording."""
    instruct: str = ""
    """How a role speaks, or the description that a designed voice was made from."""
    x_vector_only_mode: bool = False
    """Whether only the timbre is taken over; that needs no transcript."""
    status: VoiceStatus = VoiceStatus.UPLOADED
    progress: int = 0
    """The progress of the voice's preparation, 0 to 100."""
    last_error: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """The studio's own facts: tags, favourite, consent, the recording's quality, the time of deletion."""
    created_at: str = ""
    """ISO 8601, UTC."""
    updated_at: str = ""
    others: Mapping[str, Any] = field(default_factory=dict)
    """Other fields, which another program put there; they are kept."""

    @property
    def tags(self) -> tuple[str, ...]:
        tags = self.meta.get("tags")
        return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()

    @property
    def notes(self) -> str:
        """The words that a person wrote down about the voice."""
        notes = self.meta.get("notes")
        return notes if isinstance(notes, str) else ""

    @property
    def is_favourite(self) -> bool:
        return self.meta.get("favourite") is True

    @property
    def is_deleted(self) -> bool:
        return bool(self.meta.get("deleted_at"))

    @property
    def design_model_key(self) -> str:
        """The key of the model that makes a designed voice from its description; "" for other voices."""
        return str(self.meta.get("voice_design_model_key") or self.meta.get("design_model_key") or "")

    def with_meta(self, values: Mapping[str, Any]) -> SavedVoice:
        """The voice with these values in `meta`; None removes a key."""
        meta = {key: value for key, value in {**self.meta, **values}.items() if value is not None}
        return dataclasses.replace(self, meta=meta)


_TEXTS = (
    "name",
    "model_key",
    "language",
    "speaker",
    "ref_audio_path",
    "ref_audio_url",
    "ref_text",
    "instruct",
    "last_error",
    "created_at",
    "updated_at",
)
_LATEST_S = 1e11
"""The latest time in seconds; larger numbers are milliseconds."""
_STATUSES = {status.value: status for status in VoiceStatus}
"""The statuses by name; a voice with any other status has still to be prepared."""
_TIMES = ("created_at", "updated_at")
_FIELDS = frozenset(item.name for item in dataclasses.fields(SavedVoice)) - {"others"}


def matches(voice: SavedVoice, words: Iterable[str]) -> bool:
    """Whether all words, in lower case, occur in the voice's name, tags, notes, language, speaker or kind."""
    parts = (voice.name, voice.language, voice.speaker, voice.kind.value, voice.notes, *voice.tags)
    searched = " ".join(parts).casefold()
    return all(word in searched for word in words)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def seconds_of(time: str) -> float:
    """The time in seconds since 1970; 0 for an invalid one, which another program may have written."""
    try:
        return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def to_json(voice: SavedVoice) -> dict[str, Any]:
    known = {item.name: getattr(voice, item.name) for item in dataclasses.fields(voice) if item.name != "others"}
    return {**known, "kind": voice.kind.value, "status": voice.status.value, "meta": dict(voice.meta), **voice.others}


def from_json(voice_id: str, data: object) -> SavedVoice:
    """The voice of a record. Raises ValueError or TypeError for a record that can't be one of ours."""
    if not isinstance(data, dict):
        raise TypeError("a voice is an object")
    texts = {"name": voice_id}
    for name in _TEXTS:
        value = data.get(name)
        if isinstance(value, str):
            texts[name] = value
        elif name in _TIMES and isinstance(value, int | float):
            texts[name] = _time(value)
        elif value is not None:
            raise TypeError("a field that should be text is none")
    progress, meta = data.get("progress"), data.get("meta")
    return SavedVoice(
        id=voice_id,
        kind=_kind(data.get("kind")),
        status=_STATUSES.get(str(data.get("status")), VoiceStatus.UPLOADED),
        x_vector_only_mode=data.get("x_vector_only_mode") is True,
        progress=round(progress) if isinstance(progress, int | float) and 0 <= progress <= 100 else 0,
        meta=meta if isinstance(meta, dict) else {},
        others={key: value for key, value in data.items() if key not in _FIELDS},
        **texts,
    )


def _kind(value: object) -> VoiceKind:
    """The kind of a voice. Raises ValueError."""
    return VoiceKind.CLONE if value in (None, "") else VoiceKind(value)


def _time(value: float) -> str:
    """The time as ISO 8601. Some programs write seconds or milliseconds since 1970."""
    try:
        seconds = value / 1000 if value > _LATEST_S else value
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""
