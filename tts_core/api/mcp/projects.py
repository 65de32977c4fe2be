"""The tools for long texts, which are read in the background, followed, and joined into a file. Docstrings and
descriptions of fields are what the assistants read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from starlette.requests import Request

from tts_core.access.visitor import visitor_in
from tts_core.api.faults import NotForGuests
from tts_core.api.studio.projects.shapes import PREFIX
from tts_core.api.work import Workers
from tts_core.domain.errors import StudioError
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.services import Services
from tts_core.studio.export.assembly import JoinChoices
from tts_core.studio.making.runs import Scope
from tts_core.studio.model import Delivery
from tts_core.studio.readers.draft import SplitDraft, Splitting
from tts_core.studio.readers.importing import Wishes, new_project
from tts_core.studio.readers.text import read_text

Result = TypeVar("Result")
LongText = Annotated[str, Field(description="The text, up to a whole book. Lines that announce chapters begin them.")]
Voice = Annotated[str, Field(description="A voice's id or name from list_voices; empty: the best that is ready.")]
Language = Annotated[str, Field(description='The language, as "English", "zh" or "auto".')]
Title = Annotated[str, Field(description="A name for it; empty: the begin of the text.")]
ProjectId = Annotated[str, Field(description="The project_id that speak_long has given.")]
JoinedFormat = Annotated[
    Literal["mp3", "wav", "flac", "ogg", "opus", "m4a"], Field(description="Format of the audio file.")
]
Missing = Annotated[
    Literal["stop", "skip", "silence"], Field(description="What becomes of segments that have no take yet.")
]


class ProjectTools:
    def __init__(self, services: Services, workers: Workers, asked: Callable[[], Request]) -> None:
        """`asked` gives the HTTP request that a tool is called by."""
        self._services = services
        self._workers = workers
        self._asked = asked

    async def speak_long(
        self, text: LongText, voice: Voice = "", language: Language = AUTO_LANGUAGE, title: Title = ""
    ) -> dict[str, Any]:
        """Begin to read a long text aloud, in the background. Ask project_status how far it is, then export_project."""

        def work() -> dict[str, Any]:
            splitting = Splitting(language)
            draft = SplitDraft.of(read_text(text), splitting)
            wishes = Wishes(title=title, delivery=Delivery(voice=self._services.finder.find(name=voice)))
            project = self._services.projects.create(new_project(draft, splitting, wishes), {"text.txt": text.encode()})
            return {**self._services.making.runner.start(project.id, Scope()).as_json(), "title": project.project.title}

        return await self._done(work)

    async def project_status(self, project_id: ProjectId) -> dict[str, Any]:
        """Say how far a long text is: its state, the segments that are made, flagged and failed, the seconds left."""

        def work() -> dict[str, Any]:
            project = self._services.projects.open(project_id)
            states = project.counts()[""].states
            counts = {state.value: count for state, count in states.items() if count}
            return {**self._services.making.runner.status(project_id).as_json(), "segments": counts}

        return await self._done(work)

    async def export_project(
        self,
        project_id: ProjectId,
        format: JoinedFormat = "mp3",  # noqa: A002 - the word of all requests
        missing: Missing = "stop",
    ) -> dict[str, Any]:
        """Join what is made of a long text into one audio file, and return a link to it on the user's machine."""

        def work() -> dict[str, Any]:
            begun = self._services.making.exporter.start(project_id, JoinChoices.of(format, missing))
            record = self._services.making.exporter.wait(project_id, begun.id)
            if record.code:
                raise ToolError(f"{record.message} [{record.code}]")
            base = str(self._asked().base_url).rstrip("/")
            url = f"{base}{PREFIX}/{project_id}/exports/{record.id}/file"
            facts = {"duration_seconds": round(record.duration_s, 3), "size_bytes": record.size_bytes}
            return {"url": url, "name": record.name, "missing": list(record.missing), **facts}

        return await self._done(work)

    async def _done(self, work: Callable[[], Result]) -> Result:
        try:
            if visitor_in(self._asked().scope).is_guest:
                raise NotForGuests
            return await self._workers.decode(work)
        except StudioError as error:
            raise ToolError(f"{error.message} [{error.code}]") from error
