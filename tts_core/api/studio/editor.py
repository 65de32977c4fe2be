"""The routes by which the video editor SuperAutoCutVideo finds its backend and lets its user choose a voice. Its other
calls about Qwen3-TTS are the studio's own routes; what it keeps about its projects is no business of ours."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

import tts_core
from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.schemas import Success
from tts_core.api.studio.voices import present
from tts_core.audio.faults import OutputFailed
from tts_core.domain.errors import EngineFailed, ModelNotReady, QueueFull, UnknownVoice
from tts_core.voices.faults import VoiceNotReady
from tts_core.voices.record import SavedVoice

router = APIRouter(prefix="/api", tags=["video editor"], responses=failures())

PROVIDER: Literal["qwen3_tts"] = "qwen3_tts"
CONFIG = f"{PROVIDER}_default"
_ABOUT = "Qwen3-TTS on this machine: saved voices, cloned, designed or with a style of their own."


class ServerInfo(BaseModel):
    identifier: Literal["super-auto-cut-video-backend"] = "super-auto-cut-video-backend"
    version: str = tts_core.__version__
    host: str
    port: int
    started_at: str | None = None
    status: Literal["running"] = "running"
    boot_token: str = Field(default="", description="Empty: the editor did not start this server.")


class EditorAnswer(BaseModel):
    message: str
    timestamp: str = Field(description="ISO 8601.")


class EditorInfoAnswer(EditorAnswer):
    data: ServerInfo


class ServerStatus(BaseModel):
    status: Literal["running"] = "running"
    version: str = tts_core.__version__
    active_connections: int = Field(description="Streams of events and sockets that are open.")
    tasks_count: int = Field(description="Jobs that have not ended.")
    timestamp: str


class EditorEngine(BaseModel):
    provider: str = PROVIDER
    display_name: str = "Qwen3-TTS"
    description: str = _ABOUT
    required_fields: list[str] = []
    optional_fields: list[str] = []


class EditorConfig(BaseModel):
    provider: str = PROVIDER
    description: str = _ABOUT
    enabled: bool = True
    active_voice_id: str | None = None
    speed_ratio: float = 1.0
    extra_params: dict[str, Any] = {}


class EditorConfigs(BaseModel):
    configs: dict[str, EditorConfig]
    active_config_id: str


class EditorVoice(BaseModel):
    id: str
    name: str
    description: str
    language: str
    sample_wav_url: str | None = Field(description="The voice's recording, where it has one.")
    tags: list[str]

    @classmethod
    def of(cls, voice: SavedVoice) -> EditorVoice:
        sample, tags = voice.ref_audio_url or None, list(voice.tags)
        about = f"{voice.model_key}: {voice.instruct}" if voice.instruct else voice.model_key
        return cls(
            id=voice.id, name=voice.name, description=about, language=voice.language, sample_wav_url=sample, tags=tags
        )


class EditorPreviewBody(BaseModel):
    """The fields that the editor sends; those about its own settings are not looked at."""

    text: str | None = Field(None, description="Empty or left out, a greeting in the voice's language.")
    language: str | None = None
    provider: str | None = None
    config_id: str | None = None


class EditorPreview(BaseModel):
    voice_id: str
    name: str
    audio_url: str
    duration: float = Field(description="Seconds.")


@router.get("/server/info")
def server_info(request: Request) -> EditorInfoAnswer:
    """The server that answers here. The editor looks for its backend by this, from port to port."""
    host, port = request.scope.get("server") or ("127.0.0.1", 0)
    return EditorInfoAnswer(message="This is the server.", timestamp=_now(), data=ServerInfo(host=host, port=port or 0))


@router.get("/hello")
def hello() -> EditorAnswer:
    """A greeting, to see whether the server answers."""
    return EditorAnswer(message="TTS Studio is here.", timestamp=_now())


@router.get("/status")
def status(request: Request, services: UseServices) -> ServerStatus:
    """How much goes on."""
    jobs = [job for job in services.jobs.jobs() if not job.state.is_over]
    return ServerStatus(active_connections=request.app.state.streams.count, tasks_count=len(jobs), timestamp=_now())


@router.get("/tts/engines")
def list_engines() -> Success[list[EditorEngine]]:
    """The engines that the editor can choose among: one."""
    return Success(data=[EditorEngine()], message="1 engine.")


@router.get("/tts/configs")
def list_configs() -> Success[EditorConfigs]:
    """The engine's settings as the editor shows them. They are its own to keep; here they are always the same."""
    data = EditorConfigs(configs={CONFIG: EditorConfig()}, active_config_id=CONFIG)
    return Success(data=data, message="1 configuration.")


@router.get("/tts/voices")
def list_voices(provider: str, services: UseServices) -> Success[list[EditorVoice]]:
    """The saved voices; none for another provider."""
    voices = services.voices.voices() if provider.lower() == PROVIDER else ()
    return Success(data=[EditorVoice.of(voice) for voice in voices], message=f"{len(voices)} voices.")


@router.post(
    "/tts/voices/{voice_id}/preview",
    responses=failures(UnknownVoice, ModelNotReady, VoiceNotReady, QueueFull, EngineFailed, OutputFailed),
)
async def preview_voice(
    voice_id: str,
    request: Request,
    services: UseServices,
    workers: UseWorkers,
    body: EditorPreviewBody | None = None,
) -> Success[EditorPreview]:
    """Let a saved voice speak a sentence. Closing the connection stops the work."""
    voice, text = present(services, voice_id), (body.text if body else None) or ""
    take = await workers.run(request, lambda gone: services.voices.sample(voice.id, text, cancelled=gone))
    url = request.scope.get("root_path", "") + request.app.url_path_for("read_audio", take_id=take.id)
    data = EditorPreview(voice_id=voice.id, name=voice.name, audio_url=url, duration=round(take.duration_s, 3))
    return Success(data=data, message=f"{voice.name} spoke {take.duration_s:.1f} s.")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
