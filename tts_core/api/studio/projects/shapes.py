"""The shapes in which projects travel over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, Field

from tts_core.api.studio.texts import EntryObject
from tts_core.domain.errors import StudioError
from tts_core.studio.index import Counts, SegmentPage, SegmentRow
from tts_core.studio.measures import Space, pause_after
from tts_core.studio.model import CastMember, Delivery, Project, SegmentTake
from tts_core.studio.projects import ProjectCard
from tts_core.studio.states import is_flagged
from tts_core.studio.store import OpenProject

PREFIX = "/api/studio/projects"
StateName = Literal["empty", "waiting", "making", "ready", "flagged", "stale", "failed", "skipped"]
PausesName = Literal["shorter", "normal", "longer"]
SplitName = Literal["sentences", "balanced", "long", "paragraph"]
KindName = Literal["narration", "dialogue", "subtitles", "batch"]
REVISION = "The revision that the change was made from; 409 where what it changes is newer. Left out: any."


class NoteObject(BaseModel):
    code: str
    message: str

    @classmethod
    def of(cls, error: StudioError) -> NoteObject:
        return cls(code=error.code, message=error.message)


class CountsObject(BaseModel):
    segments: int
    states: dict[StateName, int] = Field(description="Segments by state; states without any are left out.")
    seconds: float = Field(description="Length of the takes that are heard.")
    characters: int

    @classmethod
    def of(cls, counts: Counts) -> CountsObject:
        states = {state.value: count for state, count in counts.states.items() if count}
        return cls(
            segments=counts.segments,
            states=states,  # type: ignore[arg-type]  # the values of SegmentState
            seconds=round(counts.seconds, 3),
            characters=counts.characters,
        )


class ProjectCardObject(BaseModel):
    id: str
    title: str
    kind: KindName
    author: str
    language: str
    created_at: str = Field(description="ISO 8601, UTC.")
    updated_at: str
    deleted_at: str = Field(description='"" for a project that is there; a deleted one can be restored for 30 days.')
    chapters: int
    counts: CountsObject
    problem: NoteObject | None = Field(description="Why it can't be opened.")

    @classmethod
    def of(cls, card: ProjectCard) -> ProjectCardObject:
        project = card.project
        return cls(
            id=project.id,
            title=project.title,
            kind=project.kind.value,
            author=project.author,
            language=project.language,
            created_at=project.created_at,
            updated_at=project.updated_at,
            deleted_at=project.deleted_at,
            chapters=len(project.chapters),
            counts=CountsObject.of(card.counts),
            problem=None if card.problem is None else NoteObject.of(card.problem),
        )


class DeliveryObject(BaseModel):
    """A way of speaking; null takes the cast's, then the project's."""

    voice: str | None
    style: str | None
    language: str | None
    speed: float | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryObject:
        return cls(voice=delivery.voice, style=delivery.style, language=delivery.language, speed=delivery.speed)


class CastMemberObject(DeliveryObject):
    name: str
    aliases: list[str]
    colour: str
    gain_db: float
    pan: float

    @classmethod
    def row(cls, member: CastMember) -> CastMemberObject:
        return cls(
            name=member.name,
            aliases=list(member.aliases),
            colour=member.colour,
            gain_db=member.gain_db,
            pan=member.pan,
            **DeliveryObject.of(member.delivery).model_dump(),
        )


class ChapterObject(BaseModel):
    id: str
    title: str
    included: bool
    counts: CountsObject


class ProjectObject(BaseModel):
    """A project without its segments, which come in pages."""

    id: str
    title: str
    kind: KindName
    revision: int = Field(description="Grows with every change; edits name the one that they were made from.")
    author: str
    language: str
    defaults: DeliveryObject
    cast: list[CastMemberObject]
    pauses: str
    split: str
    seed: int
    sampling: dict[str, float]
    check: Literal["off", "flagged", "all"] | None = Field(description="null: as fits the machine.")
    continuity: Literal["same_prompt", "continue"]
    lexicon: list[EntryObject] = Field(description="The project's own entries, before those of `/api/lexicon`.")
    settings: dict[str, dict[str, object]] = Field(description="What exports, fitting and marks remember.")
    chapters: list[ChapterObject]
    counts: CountsObject = Field(description="Of the chapters that are included.")
    undo: str = Field(description='What undo takes back; "" where there is nothing.')
    redo: str
    notes: list[NoteObject] = Field(description="What was repaired when it was opened.")
    read_only: NoteObject | None = Field(description="Why it can't be changed here now.")
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, opened: OpenProject) -> ProjectObject:
        project, counts = opened.project, opened.counts()
        return cls(
            **_plain_facts(project),
            defaults=DeliveryObject.of(project.defaults),
            cast=[CastMemberObject.row(member) for member in project.cast],
            sampling=asdict(project.sampling),
            lexicon=[EntryObject.of(entry) for entry in project.lexicon],
            chapters=[
                ChapterObject(
                    id=chapter.id,
                    title=chapter.title,
                    included=chapter.is_included,
                    counts=CountsObject.of(counts[chapter.id]),
                )
                for chapter in project.chapters
            ],
            counts=CountsObject.of(counts[""]),
            undo=opened.undoable,
            redo=opened.redoable,
            notes=[NoteObject.of(note) for note in opened.notes],
            read_only=None if opened.obstacle is None else NoteObject.of(opened.obstacle),
        )


class DifferenceObject(BaseModel):
    expected: str
    actual: str


class TakeObject(BaseModel):
    id: str
    number: int
    url: str = Field(description="Its sound; understands Range.")
    duration_seconds: float
    seed: int | None
    voice: str
    engine: str
    origin: Literal["auto", "again", "retry", "recorded"]
    made_at: str
    stop_reason: str
    current: bool = Field(description="It is the take that counts.")
    chosen: bool = Field(description="A person chose it.")
    starred: bool
    fits: bool = Field(description="It says the text as it is now, in the way that is asked for now.")
    flagged: bool
    accepted: bool = Field(description="A person found it right in spite of its flags.")
    flags: list[str]
    errors: int | None = Field(description="Wrong words or characters; null where no transcript was made.")
    units: int
    differences: list[DifferenceObject]
    similarity: float | None

    @classmethod
    def of(cls, row: SegmentRow, take: SegmentTake, url: str) -> TakeObject:
        segment, check = row.segment, take.check
        return cls(
            id=take.id,
            number=take.number,
            url=f"{url}/segments/{segment.id}/takes/{take.id}/audio",
            duration_seconds=round(take.duration_s, 3),
            seed=take.seed,
            voice=take.voice,
            engine=take.engine,
            origin=take.origin.value,
            made_at=take.made_at,
            stop_reason=take.stop_reason,
            current=row.take is not None and row.take.id == take.id,
            chosen=segment.chosen == take.id,
            starred=take.id in segment.starred,
            fits=row.keys.fits(take),
            flagged=is_flagged(segment, take),
            accepted=take.id in segment.accepted,
            flags=[] if check is None else [flag.value for flag in check.flags],
            errors=None if check is None else check.errors,
            units=0 if check is None else check.units,
            differences=[]
            if check is None
            else [DifferenceObject(expected=one.expected, actual=one.actual) for one in check.differences],
            similarity=None if check is None else check.similarity,
        )


class SlotObject(BaseModel):
    start_seconds: float
    end_seconds: float


class SegmentObject(BaseModel):
    id: str
    chapter: str
    number: int = Field(description="Its place in the project, from 1.")
    text: str
    spoken: str = Field(description="What a voice gets: readings in place of terms.")
    state: StateName
    failure: str = Field(description="The code of the error that no take could be made for, or empty.")
    revision: int = Field(description="The project's revision in which it was last changed.")
    speaker: str
    own: DeliveryObject = Field(description="What is set for this segment alone.")
    delivery: DeliveryObject = Field(description="What counts: its own, else the cast's, else the project's.")
    pause_seconds: float | None = Field(description="null: the usual one of its reason.")
    pause_reason: str
    pause_after_seconds: float = Field(description="The pause that counts.")
    seed: int | None
    slot: SlotObject | None
    skipped: bool
    note: str
    file_name: str
    takes: list[TakeObject]

    @classmethod
    def of(cls, opened: OpenProject, row: SegmentRow, url: str) -> SegmentObject:
        segment = row.segment
        slot = segment.slot
        return cls(
            id=segment.id,
            chapter=row.chapter,
            number=row.number,
            text=segment.text,
            spoken=opened.spoken(segment),
            state=row.state.value,
            failure="" if segment.failure is None else segment.failure.code,
            revision=segment.revision,
            speaker=segment.speaker,
            own=DeliveryObject.of(segment.delivery),
            delivery=DeliveryObject.of(opened.project.delivery_of(segment)),
            pause_seconds=segment.pause_s,
            pause_reason=segment.pause_reason.value,
            pause_after_seconds=round(pause_after(opened.project, segment), 3),
            seed=segment.seed,
            slot=None if slot is None else SlotObject(start_seconds=slot.start_s, end_seconds=slot.end_s),
            skipped=segment.is_skipped,
            note=segment.note,
            file_name=segment.file_name,
            takes=[TakeObject.of(row, take, url) for take in segment.takes],
        )


class SegmentsObject(BaseModel):
    revision: int
    rows: list[SegmentObject]
    page: int
    pages: int
    total: int = Field(description="Rows of all pages that pass the filters.")

    @classmethod
    def of(cls, opened: OpenProject, page: SegmentPage, url: str) -> SegmentsObject:
        return cls(
            revision=opened.project.revision,
            rows=[SegmentObject.of(opened, row, url) for row in page.rows],
            page=page.page,
            pages=page.pages,
            total=page.total,
        )


class EditedObject(BaseModel):
    """An edit that was done."""

    revision: int
    rows: list[SegmentObject] = Field(description="The segments that the edit changed or made, as they are now.")
    counts: CountsObject
    undo: str
    redo: str


class SpaceObject(BaseModel):
    total_bytes: int
    takes_bytes: int
    unchosen_bytes: int = Field(description="What `drop-takes` frees.")
    exports_bytes: int

    @classmethod
    def of(cls, space: Space) -> SpaceObject:
        return cls(
            total_bytes=space.total,
            takes_bytes=space.takes,
            unchosen_bytes=space.unchosen,
            exports_bytes=space.exports,
        )


def _plain_facts(project: Project) -> Mapping[str, Any]:
    return {
        "id": project.id,
        "title": project.title,
        "kind": project.kind.value,
        "revision": project.revision,
        "author": project.author,
        "language": project.language,
        "pauses": project.pauses,
        "split": project.split,
        "seed": project.seed,
        "check": None if project.check is None else project.check.value,
        "continuity": project.continuity.value,
        "settings": project.settings,
        "created_at": project.created_at,
        "updated_at": project.updated_at,
    }
