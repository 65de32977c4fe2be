"""Projects on the disk with voices that are nothing but names, and takes that are a few samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tts_core.audio.files import AudioWriter
from tts_core.platform.settings.projects import ProjectLimits
from tts_core.speech.plan.lexicon import Lexicon, LexiconEntry
from tts_core.studio.model import Chapter, Project, SegmentTake, TakeCheck, TakeOrigin, TextSegment
from tts_core.studio.projects import Projects
from tts_core.studio.store import OpenProject


@dataclass
class NamedVoices:
    """Voices whose fingerprints a test sets."""

    fingerprints: dict[str, str] = field(default_factory=dict)
    fast: frozenset[str] = frozenset({"espeak/en"})

    def fingerprint(self, voice: str) -> str:
        return self.fingerprints.get(voice, "")

    def speaks_at_speeds(self, voice: str) -> bool:
        return voice in self.fast


@dataclass
class ChangingLexicon:
    """The lexicon for all projects, whose entries a test sets."""

    entries: tuple[LexiconEntry, ...] = ()

    def __call__(self) -> Lexicon:
        return Lexicon(self.entries)


def projects_in(
    folder: Path,
    *,
    voices: NamedVoices | None = None,
    lexicon: ChangingLexicon | None = None,
    limits: ProjectLimits | None = None,
) -> Projects:
    return Projects(
        folder / "projects", limits or ProjectLimits(), voices or NamedVoices(), lexicon or ChangingLexicon()
    )


def book(*chapters: Sequence[str], **fields: object) -> Project:
    """A project whose segments are s1, s2, … in chapters c1, c2, …"""
    made, number = [], 0
    for place, texts in enumerate(chapters, 1):
        segments = []
        for text in texts:
            number += 1
            segments.append(TextSegment(f"s{number}", text))
        made.append(Chapter(f"c{place}", f"Chapter {place}", segments=tuple(segments)))
    return replace(Project("", "A book", chapters=tuple(made)), **fields)  # type: ignore[arg-type]


def add_take(
    project: OpenProject,
    segment_id: str,
    *,
    check: TakeCheck | None = None,
    origin: TakeOrigin = TakeOrigin.AUTO,
    seconds: float = 0.01,
) -> SegmentTake:
    """A take of the segment as it is now, made as the studio makes one."""
    row = project.row(segment_id)
    sound = project.folder.root.parent / f"{segment_id}.wav"
    with AudioWriter(sound, "wav", 24_000) as writer:
        writer.write(np.zeros(round(24_000 * seconds), np.float32))
    key = row.keys.recorded if origin is TakeOrigin.RECORDED else row.keys.made
    facts = SegmentTake("", "", row.segment.next_number, key, seconds, 24_000, origin=origin, check=check)
    return project.add_take(segment_id, sound, facts)


def states(project: OpenProject) -> list[str]:
    return [row.state.value for row in project.rows()]


def texts(project: OpenProject) -> list[list[str]]:
    return [[segment.text for segment in chapter.segments] for chapter in project.project.chapters]
