"""The bodies of requests that change projects; each becomes a value of the studio's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from tts_core.api.schemas import RequestBody, SamplingBody
from tts_core.api.studio.projects.shapes import REVISION, KindName, PausesName, SplitName, StateName
from tts_core.api.studio.texts import EntryBody
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.speech.plan.split import SplitPreset
from tts_core.studio.edits.finding import TextSearch
from tts_core.studio.edits.segments import SegmentChanges
from tts_core.studio.index import Filters
from tts_core.studio.model import CastMember, CheckMode, Continuity, Delivery, ProjectKind, SegmentState
from tts_core.studio.readers.draft import Splitting

MAX_PAGE = 500
_RESET = Literal["voice", "style", "language", "speed", "pause_seconds", "seed"]


class RevisionBody(RequestBody):
    revision: int | None = Field(None, description=REVISION)


class NewProjectBody(RequestBody):
    """A project from a pasted text, or without `text` an empty one. Nothing is spoken yet."""

    title: str | None = None
    text: str | None = Field(None, description="The text; longer ones than a JSON body may be come as a file.")
    format: Literal["text", "markdown"] | None = None
    dry_run: bool | None = Field(None, description="Only show what would be made.")
    kind: KindName | None = None
    author: str | None = None
    language: str | None = None
    voice: str | None = Field(None, description="A voice's id; left out, the best one that speaks now.")
    style: str | None = None
    speed: float | None = Field(None, ge=0.5, le=2.0)
    split: SplitName | None = None
    pauses: PausesName | None = None
    seed: int | None = Field(None, ge=0, le=2**32 - 1)

    def splitting(self) -> Splitting:
        return Splitting(self.language or AUTO_LANGUAGE, SplitPreset(self.split or "balanced"))


class CastBody(RequestBody):
    """A speaker; what is left out is the project's."""

    name: str
    aliases: list[str] | None = None
    colour: str | None = None
    gain_db: float | None = Field(None, ge=-30, le=30)
    pan: float | None = Field(None, ge=-1, le=1)
    voice: str | None = None
    style: str | None = None
    language: str | None = None
    speed: float | None = Field(None, ge=0.5, le=2.0)

    def to_domain(self) -> CastMember:
        return CastMember(
            name=self.name,
            delivery=Delivery(self.voice, self.style, self.language, self.speed),
            aliases=tuple(self.aliases or ()),
            colour=self.colour or "",
            gain_db=self.gain_db or 0.0,
            pan=self.pan or 0.0,
        )


class ProjectChangesBody(RevisionBody):
    """New values for a project; what is left out stays."""

    title: str | None = None
    author: str | None = None
    language: str | None = None
    kind: KindName | None = None
    pauses: PausesName | None = None
    seed: int | None = Field(None, ge=0, le=2**32 - 1)
    sampling: SamplingBody | None = None
    check: Literal["off", "flagged", "all", "auto"] | None = None
    continuity: Literal["same_prompt", "continue"] | None = None
    voice: str | None = None
    style: str | None = None
    speed: float | None = Field(None, ge=0.5, le=2.0)
    cast: list[CastBody] | None = Field(None, description="All speakers; the list takes the place of the one before.")
    lexicon: list[EntryBody] | None = Field(None, description="The project's own entries, all of them.")
    settings: dict[str, dict[str, Any]] | None = Field(None, description="What exports, fitting and marks remember.")

    def values(self) -> Mapping[str, Any]:
        """The project's new values by their names."""
        given = {name: getattr(self, name) for name in ("title", "author", "language", "pauses", "seed", "settings")}
        values = {name: value for name, value in given.items() if value is not None}
        if self.kind is not None:
            values["kind"] = ProjectKind(self.kind)
        if self.sampling is not None:
            values["sampling"] = self.sampling.to_domain()
        if self.check is not None:
            values["check"] = None if self.check == "auto" else CheckMode(self.check)
        if self.continuity is not None:
            values["continuity"] = Continuity(self.continuity)
        if self.lexicon is not None:
            values["lexicon"] = tuple(entry.to_domain() for entry in self.lexicon)
        return values

    def defaults(self) -> Mapping[str, Any]:
        given = {"voice": self.voice, "style": self.style, "speed": self.speed}
        return {name: value for name, value in given.items() if value is not None}


class SegmentChangesBody(RevisionBody):
    """New values for a segment; what is left out stays."""

    text: str | None = None
    speaker: str | None = Field(None, description='A name of the cast; "" is the narrator.')
    voice: str | None = None
    style: str | None = None
    language: str | None = None
    speed: float | None = Field(None, ge=0.5, le=2.0)
    pause_seconds: float | None = Field(None, ge=0, le=60)
    seed: int | None = Field(None, ge=0, le=2**32 - 1, description="The seed of the next take.")
    skipped: bool | None = None
    note: str | None = Field(None, max_length=2_000)
    file_name: str | None = Field(None, max_length=200)
    reset: list[_RESET] | None = Field(None, description="Values that are to be those of cast and project again.")

    def changes(self) -> SegmentChanges:
        names = ("voice", "style", "language", "speed")
        delivery = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        reset = set(self.reset or ())
        return SegmentChanges(
            speaker=self.speaker,
            delivery={**dict.fromkeys(reset & set(names)), **delivery},
            pause_s=self.pause_seconds,
            usual_pause="pause_seconds" in reset,
            seed=self.seed,
            new_seeds="seed" in reset,
            is_skipped=self.skipped,
            note=self.note,
            file_name=self.file_name,
        )


class ManySegmentsBody(SegmentChangesBody):
    """New values for many segments at once."""

    segments: list[str] = Field(min_length=1, max_length=20_000)
    text: None = None


class SplitBody(RevisionBody):
    place: int = Field(ge=1, description="The characters of the first part.")


class InsertBody(RevisionBody):
    text: str
    speaker: str | None = None


class MoveBody(RevisionBody):
    chapter: str
    after: str | None = Field(None, description="The segment before it; left out, it is the chapter's first one.")


class ChapterBody(RevisionBody):
    title: str | None = None
    included: bool | None = None


class ChapterMoveBody(RevisionBody):
    after: str | None = Field(None, description="The chapter before it; left out, it is the first one.")


class ChapterSplitBody(RevisionBody):
    segment: str = Field(description="The segment that the new chapter begins with.")
    title: str | None = None


class AcceptBody(RevisionBody):
    take: str | None = Field(None, description="Left out, the take that is heard.")


class TakeChangesBody(RevisionBody):
    chosen: bool | None = Field(None, description="true: this one is heard; false: the best one is heard again.")
    starred: bool | None = None


class SearchBody(RequestBody):
    text: str
    match_case: bool | None = None
    whole_words: bool | None = None
    chapter: str | None = None

    def search(self) -> TextSearch:
        return TextSearch(self.text, bool(self.match_case), bool(self.whole_words), self.chapter or "")


class ReplaceBody(SearchBody):
    replacement: str
    revision: int | None = Field(None, description=REVISION)


def filters(
    chapter: str = "",
    state: Annotated[list[StateName] | None, Query(description="Several may be given.")] = None,
    speaker: Annotated[str | None, Query(description='"" is the narrator.')] = None,
    q: Annotated[str, Query(max_length=200, description="A text in the segment, in any case.")] = "",
) -> Filters:
    states = frozenset(map(SegmentState, state or ()))
    return Filters(chapter=chapter, states=states, speaker=speaker, text=q)


PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE)]
