"""The shapes of an import before it is made."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tts_core.api.studio.projects.shapes import ProjectObject
from tts_core.studio.readers.draft import Draft, ReadChapterPreview, SplitDraft


class ChapterPreviewObject(BaseModel):
    title: str
    first_line: str
    included: bool
    characters: int
    segments: int
    expected_seconds: float
    languages: list[str]
    warnings: list[str] = Field(description="long, mixed_languages, unknown_characters, empty.")

    @classmethod
    def of(cls, chapter: ReadChapterPreview) -> ChapterPreviewObject:
        return cls(
            title=chapter.title,
            first_line=chapter.first_line,
            included=chapter.is_included,
            characters=chapter.characters,
            segments=chapter.segments,
            expected_seconds=chapter.expected_s,
            languages=list(chapter.languages),
            warnings=list(chapter.warnings),
        )


class ImportPreviewObject(BaseModel):
    """A draft of what an import would make. Nothing is kept."""

    title: str
    author: str
    language: str
    encoding: str
    skipped: dict[str, int] = Field(description="What is not read aloud: code, table, image, address, contents.")
    chapters: list[ChapterPreviewObject]
    segments: int
    characters: int
    expected_seconds: float

    @classmethod
    def of(cls, split: SplitDraft, title: str) -> ImportPreviewObject:
        draft: Draft = split.draft
        chapters = [ChapterPreviewObject.of(chapter) for chapter in split.previews()]
        return cls(
            title=title,
            author=draft.author,
            language=draft.language,
            encoding=draft.encoding,
            skipped={one.kind: one.count for one in draft.skipped},
            chapters=chapters,
            segments=sum(chapter.segments for chapter in chapters),
            characters=sum(chapter.characters for chapter in chapters),
            expected_seconds=round(sum(chapter.expected_seconds for chapter in chapters), 1),
        )


class ImportedObject(BaseModel):
    preview: ImportPreviewObject
    project: ProjectObject | None = Field(description="null for a dry run.")
