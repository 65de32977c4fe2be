"""Routes about texts before they are spoken: their segments, and the lexicon that says how words are read."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tts_core.api.context import UseServices
from tts_core.api.errors import failures
from tts_core.api.schemas import READ_AS, SPLIT, ReadAsName, RequestBody, SplitName, Success
from tts_core.domain.errors import InvalidRequest, UnknownModelKey, UnknownVoice
from tts_core.domain.values import AUTO_LANGUAGE, ReadAs, SplitMode, SynthesisRequest
from tts_core.speech.faults import EmptyText, LexiconBusy, LexiconOutdated, LexiconUnwritable, TextTooLong
from tts_core.speech.plan.lexicon import LexiconEntry
from tts_core.speech.plan.plan import PlannedSegment, SpeechPlan
from tts_core.speech.plan.store import LexiconState
from tts_core.voices.faults import AmbiguousVoice

router = APIRouter(prefix="/api", tags=["texts"], responses=failures())


class PreviewBody(RequestBody):
    """A text and how it would be spoken. Only `text` is needed; the other fields mean what they do at `/synthesize`."""

    text: str
    model_key: str | None = None
    voice_id: str | None = None
    speaker: str | None = None
    language: str | None = None
    speed: float | None = None
    read_as: ReadAsName | None = Field(None, description=READ_AS)
    split: SplitName | None = Field(None, description=SPLIT)

    def to_domain(self, voice_id: str | None) -> SynthesisRequest:
        """The request for the voice `voice_id`. Raises InvalidValue."""
        return SynthesisRequest(
            text=self.text,
            voice=voice_id,
            language=self.language or AUTO_LANGUAGE,
            speed=1.0 if self.speed is None else self.speed,
            read_as=ReadAs.named(self.read_as),
            split=SplitMode.named(self.split),
        )


class PreviewedSegment(BaseModel):
    text: str = Field(description="The words as they are written.")
    spoken: str = Field(description="The words as they are spoken, with the readings of the lexicon and of the text.")
    language: str = Field(description="The language of its letters, such as en or zh.")
    expected_seconds: float = Field(description="About how long it takes to say.")
    pause_after_seconds: float
    reason: str = Field(description="Why there is a pause: clause, sentence, paragraph, scene, own (a tag), or end.")

    @classmethod
    def of(cls, segment: PlannedSegment, speed: float) -> PreviewedSegment:
        return cls(
            text=segment.text,
            spoken=segment.spoken,
            language=segment.language,
            expected_seconds=round(segment.expected_s / speed, 2),
            pause_after_seconds=round(segment.pause_after_s, 3),
            reason=segment.reason.value,
        )


class TextPreview(BaseModel):
    segments: list[PreviewedSegment]
    lead_seconds: float = Field(description="The pause before the first segment.")
    total_seconds: float = Field(description="About how long the whole is, pauses included.")
    ignored: list[str] = Field(description="Tags that can't be done as they stand: unclear pauses, and too long ones.")
    split_version: int = Field(description="Changes when the same text would be parted in another way.")

    @classmethod
    def of(cls, plan: SpeechPlan, speed: float) -> TextPreview:
        segments = [PreviewedSegment.of(segment, speed) for segment in plan.segments]
        pauses = plan.lead_s + sum(segment.pause_after_s for segment in plan.segments)
        return cls(
            segments=segments,
            lead_seconds=plan.lead_s,
            total_seconds=round(pauses + sum(segment.expected_seconds for segment in segments), 2),
            ignored=list(plan.ignored),
            split_version=plan.split_version,
        )


class EntryBody(RequestBody):
    """A term and its reading."""

    term: str = Field(examples=["行长", "SQL"])
    reading: str = Field(examples=["航掌", "sequel"])
    language: str | None = Field(None, description="Code or name of the language in which it counts; left out: all.")
    whole_word: bool | None = Field(None, description="Only where no other letter stands beside it; true if left out.")
    match_case: bool | None = None
    voices: list[str] | None = Field(None, description="Ids of the voices that read it so; left out: all.")
    note: str | None = None
    enabled: bool | None = None

    def to_domain(self) -> LexiconEntry:
        """Raises InvalidRequest."""
        return LexiconEntry.from_fields(self.model_dump())


class LexiconBody(RequestBody):
    entries: list[EntryBody]
    revision: int | None = Field(
        None, description="The revision that the change was made from; 409 where there is a newer one. Null: any."
    )


class EntryObject(BaseModel):
    term: str
    reading: str
    language: str
    whole_word: bool
    match_case: bool
    voices: list[str]
    note: str
    enabled: bool

    @classmethod
    def of(cls, entry: LexiconEntry) -> EntryObject:
        return cls(**entry.as_fields())


class LexiconData(BaseModel):
    revision: int
    entries: list[EntryObject]

    @classmethod
    def of(cls, state: LexiconState) -> LexiconData:
        return cls(revision=state.revision, entries=list(map(EntryObject.of, state.entries)))


@router.post("/text/preview", responses=failures(EmptyText, TextTooLong, UnknownVoice, AmbiguousVoice, UnknownModelKey))
def preview_text(body: PreviewBody, services: UseServices) -> Success[TextPreview]:
    """How a text would be spoken: its segments, their spoken form and about their seconds. Nothing is spoken."""
    if body.voice_id and body.speaker:
        raise InvalidRequest(reason="give voice_id or speaker, not both.")
    voice = services.finder.find(voice_id=body.voice_id, name=body.speaker, model=body.model_key)
    request = body.to_domain(voice)
    data = TextPreview.of(services.synthesis.preview(request), request.speed)
    return Success(data=data, message=f"{len(data.segments)} segments, about {data.total_seconds:.0f} s.")


@router.get("/lexicon")
def read_lexicon(services: UseServices) -> Success[LexiconData]:
    """How words are read, for all voices and doors: terms and their readings."""
    state = services.lexicon.state()
    return Success(data=LexiconData.of(state), message=f"{len(state.entries)} entries.")


@router.put("/lexicon", responses=failures(LexiconOutdated, LexiconBusy, LexiconUnwritable))
def write_lexicon(body: LexiconBody, services: UseServices) -> Success[LexiconData]:
    """Put these entries in place of all others. The next text is spoken with them."""
    state = services.lexicon.replace([entry.to_domain() for entry in body.entries], body.revision)
    return Success(data=LexiconData.of(state), message=f"{len(state.entries)} entries are kept.")
