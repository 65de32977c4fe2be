"""The tools for AI assistants (Model Context Protocol): speak, list voices, clone, long texts, and nothing else.

The module is loaded with the first request only: the protocol's package takes a second. Docstrings and descriptions of
fields are what the assistants read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import AudioContent, CallToolResult, ResourceLink, TextContent, ToolAnnotations
from pydantic import Field
from starlette.requests import Request

import tts_core
from tts_core.api.mcp.projects import ProjectTools
from tts_core.api.schemas import READ_AS, ReadAsName, finish_reason
from tts_core.api.uploads import audio_in_base64, kept_upload
from tts_core.api.work import Workers
from tts_core.audio.files import FORMATS
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, ReferenceRequired, StudioError
from tts_core.domain.values import AUTO_LANGUAGE, ReadAs, Recording, StopReason, SynthesisRequest, Take
from tts_core.services import Services
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.synthesis import collect

ASKED: ContextVar[Request] = ContextVar("asked")
"""The HTTP request that a tool is called by."""
INLINE_BYTES = 2_000_000
"""The largest file in bytes that is sent inline; a longer one is linked only."""
INSTRUCTIONS = (
    "Speaks texts on the user's own machine. Ask list_voices for a voice when the user wants a certain one; "
    "without it the best voice that is ready speaks."
)
Text = Annotated[str, Field(description="What is said. Plain text or Markdown, in the language of the voice.")]
Voice = Annotated[str, Field(description="A voice's id or name from list_voices; empty: the best that is ready.")]
Language = Annotated[str, Field(description='The language, as "English", "zh" or "auto".')]
Instruct = Annotated[str, Field(description='How to say it, as "slowly, in a whisper"; only some voices can.')]
Format = Annotated[Literal["mp3", "wav", "flac", "ogg", "opus"], Field(description="Format of the audio file.")]
Audio = Annotated[
    str, Field(description="The recording, a file of 3 to 30 seconds of one person, as base64. Addresses are refused.")
]
SavedVoice = Annotated[str, Field(description="In place of a recording: a saved voice's id or name.")]
Transcript = Annotated[str, Field(description="What is said in the recording; empty: only the timbre is taken over.")]


Reading = Annotated[ReadAsName, Field(description=READ_AS)]
MaxSeconds = Annotated[float, Field(description="The audio ends there at the latest; 0: as long as the text needs.")]


class _Tools:
    def __init__(self, services: Services, workers: Workers) -> None:
        self._services = services
        self._workers = workers

    async def speak(
        self,
        text: Text,
        voice: Voice = "",
        language: Language = AUTO_LANGUAGE,
        instruct: Instruct = "",
        format: Format = "mp3",  # noqa: A002 - the word of all requests
        max_seconds: MaxSeconds = 0,
        read_as: Reading = ReadAs.MARKDOWN.value,
    ) -> CallToolResult:
        """Speak a text aloud and return the audio: the file itself, and a link to it on the user's machine."""

        def wanted(_held: ExitStack) -> SynthesisRequest:
            meant, longest = self._services.finder.find(name=voice), max_seconds or None
            return SynthesisRequest(
                text,
                voice=meant,
                language=language,
                instruct=instruct,
                max_seconds=longest,
                read_as=ReadAs.named(read_as),
            )

        return await self._spoken(wanted, format)

    async def list_voices(self) -> list[dict[str, str]]:
        """List the voices that can speak now, best first: built-in ones, those of models, and saved ones."""
        voices = await self._workers.decode(self._services.synthesis.voices)
        return [
            {"id": voice.id, "name": voice.name, "model": self._services.finder.model_of(voice) or voice.engine}
            for voice in voices
        ]

    async def clone(
        self,
        text: Text,
        audio: Audio = "",
        voice: SavedVoice = "",
        transcript: Transcript = "",
        language: Language = AUTO_LANGUAGE,
        format: Format = "mp3",  # noqa: A002
        max_seconds: MaxSeconds = 0,
        read_as: Reading = ReadAs.MARKDOWN.value,
    ) -> CallToolResult:
        """Speak a text in the voice of a recording, or of a voice that the user has saved, and return the audio.

        Clone only voices of people who agreed to it. The recording is used once and not kept.
        """

        def wanted(held: ExitStack) -> SynthesisRequest:
            reading, longest = ReadAs.named(read_as), max_seconds or None
            plain = SynthesisRequest(text, language=language, max_seconds=longest, read_as=reading)
            if voice:
                return replace(plain, voice=self._services.finder.find(name=voice))
            if not audio:
                raise ReferenceRequired(voice="clone")
            path = held.enter_context(kept_upload(audio_in_base64(audio, "audio")))
            cloned = f"{self._services.voice_models.best_cloning().key}/clone"
            return replace(plain, voice=cloned, source=Recording(path, transcript or None, True))

        return await self._spoken(wanted, format)

    async def _spoken(self, wanted: Callable[[ExitStack], SynthesisRequest], format_name: str) -> CallToolResult:
        def work(gone: CancelCheck) -> Take:
            with ExitStack() as held:
                jobs, asked = self._services.jobs, wanted(held)
                events = speak_as_job(self._services.synthesis, jobs, asked, format=format_name, cancelled=gone)
                take = collect(events)
            if take.stop_reason is StopReason.CANCELLED:
                take.path.unlink(missing_ok=True)  # nobody knows its address
                raise Cancelled
            return take

        try:
            take = await self._workers.run_until(work)
        except StudioError as error:
            raise ToolError(f"{error.message} [{error.code}]") from error
        return _result(take, _link(ASKED.get(), take))


def build_tools(services: Services, workers: Workers) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer(
        "tts-studio",
        title="TTS Studio",
        instructions=INSTRUCTIONS,
        version=tts_core.__version__,
        log_level="ERROR",
        subscriptions=False,
    )
    tools = _Tools(services, workers)
    changes_nothing = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    makes_a_file = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    server.add_tool(tools.speak, annotations=makes_a_file)
    server.add_tool(tools.list_voices, annotations=changes_nothing)
    server.add_tool(tools.clone, annotations=makes_a_file)
    long_texts = ProjectTools(services, workers, ASKED.get)
    server.add_tool(long_texts.speak_long, annotations=makes_a_file)
    server.add_tool(long_texts.project_status, annotations=changes_nothing)
    server.add_tool(long_texts.export_project, annotations=makes_a_file)
    return server


def _result(take: Take, url: str) -> CallToolResult:
    mime = FORMATS[take.format].mime.partition(";")[0]
    size = take.path.stat().st_size
    facts = {
        "url": url,
        "voice": take.voice.name,
        "duration_seconds": round(take.duration_s, 3),
        "sample_rate": take.sample_rate,
        "seed": take.seed,
        "stop_reason": take.stop_reason.value,
        "finish_reason": finish_reason(take.stop_reason),
    }
    if warning := take.stop_reason.warning:
        facts["warning"] = warning
    content: list[Any] = [
        TextContent(type="text", text=json.dumps(facts, ensure_ascii=False)),
        ResourceLink(type="resource_link", name=take.path.name, uri=url, mime_type=mime, size=size),
    ]
    if size <= INLINE_BYTES:
        data = base64.b64encode(Path(take.path).read_bytes()).decode()
        content.append(AudioContent(type="audio", data=data, mime_type=mime))
    return CallToolResult(content=content)


def _link(request: Request, take: Take) -> str:
    """The take's address as the caller reaches it, through whatever proxy."""
    path = request.scope["app"].url_path_for("read_audio", take_id=take.id)
    return f"{str(request.base_url).rstrip('/')}{path}"
