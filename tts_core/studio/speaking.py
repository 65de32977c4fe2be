"""The keys of a project's segments, which depend on its voices and on what its text becomes before it is spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from tts_core.studio.model import LexiconEntry, Project, TextSegment
from tts_core.studio.states import Keys, Manner, keys_of


class VoiceFacts(Protocol):
    """The facts about voices on which takes depend. Cheap questions: they are asked for every list of segments."""

    def fingerprint(self, voice: str) -> str:
        """A hash of whatever makes the voice sound as it does, without paths; "" where nothing but its id does."""

    def speaks_at_speeds(self, voice: str) -> bool:
        """Whether its engine itself speaks faster and slower."""


class SpokenForm(Protocol):
    """The way from a text as it is written to what a voice gets."""

    def version(self) -> str:
        """A value that changes with the lexicon for all projects."""

    def spoken(self, text: str, delivery: tuple[str, str], entries: tuple[LexiconEntry, ...]) -> str:
        """The text for a voice. `delivery` is the language and the voice's id, `entries` the project's own lexicon."""


@dataclass(frozen=True, slots=True)
class KeyContext:
    """The facts besides a segment that its keys depend on. As long as they stay, so do the keys."""

    lexicon: str
    header: tuple[object, ...]
    voices: tuple[tuple[str, str, bool], ...]


class Speaking:
    """The keys of one project's segments, each computed once."""

    def __init__(self, voices: VoiceFacts, form: SpokenForm) -> None:
        self._voices = voices
        self._form = form
        self._context: KeyContext | None = None
        self._known: dict[str, tuple[TextSegment, Keys]] = {}
        self._facts: dict[str, tuple[str, bool]] = {}

    def keys(self, project: Project) -> Callable[[TextSegment], Keys]:
        """A function that gives the keys of a segment of `project` as it is now. Not thread-safe."""
        self._look_around(project)

        def of(segment: TextSegment) -> Keys:
            known = self._known.get(segment.id)
            if known is not None and known[0] is segment:
                return known[1]
            keys = self._computed(project, segment)
            self._known[segment.id] = (segment, keys)
            return keys

        return of

    def context(self, project: Project) -> KeyContext:
        """The context as they are now; what was derived from other ones is worth nothing any more."""
        return self._look_around(project)

    def spoken(self, project: Project, segment: TextSegment) -> str:
        """The text that a voice gets."""
        delivery = project.delivery_of(segment)
        return self._form.spoken(segment.text, (delivery.language or "", delivery.voice or ""), project.lexicon)

    def manner(self, project: Project, segment: TextSegment) -> Manner:
        """The way of speaking on which the segment's key depends."""
        delivery = project.delivery_of(segment)
        voice = delivery.voice or ""
        fingerprint, is_own_speed = self._facts.get(voice) or self._ask(voice)
        return Manner(
            voice=voice,
            fingerprint=fingerprint,
            language=delivery.language or "",
            style=delivery.style or "",
            sampling=project.sampling,
            decoding=project.decoding,
            engine_speed=(delivery.speed or 1.0) if is_own_speed else 1.0,
        )

    def _look_around(self, project: Project) -> KeyContext:
        voices = _voices_in(project)
        self._facts = {voice: self._ask(voice) for voice in voices}
        header = (project.cast, project.defaults, project.language, project.sampling, project.decoding, project.lexicon)
        facts = tuple((voice, *self._facts[voice]) for voice in voices)
        now = KeyContext(self._form.version(), header, facts)
        if self._context is None or now != self._context:
            self._context = now
            self._known.clear()
        return self._context

    def _computed(self, project: Project, segment: TextSegment) -> Keys:
        return keys_of(self.spoken(project, segment), self.manner(project, segment))

    def _ask(self, voice: str) -> tuple[str, bool]:
        return (self._voices.fingerprint(voice), self._voices.speaks_at_speeds(voice)) if voice else ("", False)


def _voices_in(project: Project) -> list[str]:
    """The voices that a project names anywhere."""
    named: Iterable[str | None] = (
        project.defaults.voice,
        *(member.delivery.voice for member in project.cast),
        *(one.delivery.voice for chapter in project.chapters for one in chapter.segments),
    )
    return sorted({voice for voice in named if voice})
