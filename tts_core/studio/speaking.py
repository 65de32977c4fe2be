"""The keys of a project's segments, which depend on its voices and on what its text becomes before it is spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.speech.plan.lexicon import NO_LEXICON, Lexicon, LexiconEntry, LexiconSource
from tts_core.speech.plan.markup import TagKind, parts_between_tags
from tts_core.speech.plan.script import language_of
from tts_core.studio.model import Project, TextSegment
from tts_core.studio.states import Keys, Manner, keys_of


class VoiceFacts(Protocol):
    """The facts about voices on which takes depend. Cheap questions: they are asked for every list of segments."""

    def fingerprint(self, voice: str) -> str:
        """A hash of whatever makes the voice sound as it does, without paths; "" where nothing but its id does."""

    def speaks_at_speeds(self, voice: str) -> bool:
        """Whether its engine itself speaks faster and slower."""


@dataclass(frozen=True, slots=True)
class KeyContext:
    """The facts besides a segment that its keys depend on. As long as they stay, so do the keys."""

    lexicon: tuple[LexiconEntry, ...]
    header: tuple[object, ...]
    voices: tuple[tuple[str, str, bool], ...]


class Speaking:
    """The keys of one project's segments, each computed once. Not thread-safe: the project's lock guards it."""

    def __init__(self, voices: VoiceFacts, lexicon: LexiconSource) -> None:
        """`lexicon` gives the one for all projects as it is now."""
        self._voices = voices
        self._source = lexicon
        self._lexicon = NO_LEXICON
        self._entries: tuple[LexiconEntry, ...] | None = None
        """The entries that `_lexicon` was made of, the project's own first."""
        self._context: KeyContext | None = None
        self._known: dict[str, tuple[TextSegment, Keys]] = {}
        self._facts: dict[str, tuple[str, bool]] = {}

    def keys(self, project: Project) -> Callable[[TextSegment], Keys]:
        """A function that gives the keys of a segment of `project` as it is now."""
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
        """The text that a voice gets: readings in place of terms; pauses that the text asks for stay in it."""
        self._renew_lexicon(project)
        return self._read(project, segment)

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
        header = (project.cast, project.defaults, project.language, project.sampling, project.decoding)
        facts = tuple((voice, *self._facts[voice]) for voice in voices)
        now = KeyContext(self._renew_lexicon(project), header, facts)
        if self._context is None or now != self._context:
            self._context = now
            self._known.clear()
        return self._context

    def _renew_lexicon(self, project: Project) -> tuple[LexiconEntry, ...]:
        """Read the lexicon as it is now; returns its entries."""
        entries = (*project.lexicon, *self._source().entries)
        if self._entries != entries:
            self._entries, self._lexicon = entries, Lexicon(entries)
        return self._entries if self._entries is not None else entries

    def _computed(self, project: Project, segment: TextSegment) -> Keys:
        return keys_of(self._read(project, segment), self.manner(project, segment))

    def _read(self, project: Project, segment: TextSegment) -> str:
        delivery = project.delivery_of(segment)
        needs_language = any(entry.language for entry in self._lexicon.entries)
        language = language_of(segment.text, delivery.language or AUTO_LANGUAGE) if needs_language else ""
        spoken = partial(self._lexicon.spoken, language=language, voice=delivery.voice)
        if "[" not in segment.text:
            return self._lexicon.applied(segment.text, language=language, voice=delivery.voice)
        return "".join(
            part.source
            if not isinstance(part, str) and part.kind is TagKind.PAUSE
            else spoken(part if isinstance(part, str) else part.source)
            for part in parts_between_tags(segment.text)
        )

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
