"""The tools for AI assistants, as the protocol's own client finds and calls them on a real server."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
import soundfile
from mcp import Client
from mcp.types import AudioContent, CallToolResult, ResourceLink, TextContent

from tests.api.conftest import RunningApi
from tests.api.voice_stage import Stage, http, ready, stage, voice_models, voice_recording
from tests.serving import Serve
from tts_core.access.accounts import AccountsFile
from tts_core.access.visitor import Role
from tts_core.api.server import create_api
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

__all__ = ["http", "stage", "voice_models", "voice_recording"]  # pytest finds fixtures by name

TIMEOUT_S = 300.0
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def silence() -> str:
    target = io.BytesIO()
    soundfile.write(target, np.zeros(4000), 8000, format="WAV")
    return base64.b64encode(target.getvalue()).decode()


@asynccontextmanager
async def assistant(url: str) -> AsyncIterator[Client]:
    async with Client(f"{url}/mcp", read_timeout_seconds=TIMEOUT_S) as client:
        yield client


def call(url: str, tool: str, **arguments: Any) -> CallToolResult:
    async def ask() -> CallToolResult:
        async with assistant(url) as client:
            return await client.call_tool(tool, arguments)

    return anyio.run(ask)


def facts(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert isinstance(result.content[0], TextContent)
    told: dict[str, Any] = json.loads(result.content[0].text)
    return told


def refusal(result: CallToolResult) -> str:
    assert result.is_error
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def sound(result: CallToolResult) -> tuple[Any, int]:
    """Samples and rate of the audio in it, which is also what its link leads to."""
    audio = next(part for part in result.content if isinstance(part, AudioContent))
    link = next(part for part in result.content if isinstance(part, ResourceLink))
    data = base64.b64decode(audio.data)
    assert httpx.get(str(link.uri), timeout=TIMEOUT_S, trust_env=False).content == data
    assert str(link.uri) == facts(result)["url"]
    samples, rate = soundfile.read(io.BytesIO(data))
    return samples, rate


def test_there_are_six_tools_and_each_says_what_it_does(api: RunningApi) -> None:
    async def tools() -> Any:
        async with assistant(api.url) as client:
            return (await client.list_tools()).tools

    found = {tool.name: tool for tool in anyio.run(tools)}
    assert found.keys() == {"speak", "list_voices", "clone", "speak_long", "project_status", "export_project"}
    assert found["speak"].description.startswith("Speak a text aloud and return the audio")
    assert "agreed" in found["clone"].description
    fields = found["clone"].input_schema["properties"]
    assert fields.keys() == {"text", "audio", "voice", "transcript", "language", "format", "max_seconds", "read_as"}
    assert all(field["description"] for field in fields.values())


def test_the_built_in_voice_speaks(api: RunningApi) -> None:
    result = call(api.url, "speak", text="Hello assistant", language="English", format="wav")
    samples, rate = sound(result)
    assert abs(len(samples) / rate - facts(result)["duration_seconds"]) < 0.01
    assert str(api.services.settings.paths.data_dir) not in result.model_dump_json()


def test_a_take_that_was_cut_is_told_and_a_text_is_read_as_asked(api: RunningApi) -> None:
    said = facts(call(api.url, "speak", text="One two three four five.", max_seconds=0.2))
    assert (said["finish_reason"], "Cut at the maximum length" in said["warning"]) == ("length", True)
    marked = [
        facts(call(api.url, "speak", text="**a** `b`", voice="builtin/aria", read_as=way))
        for way in ("markdown", "plain")
    ]
    assert marked[0]["duration_seconds"] < 0.8 * marked[1]["duration_seconds"]
    assert "warning" not in marked[0]


def test_a_long_text_is_read_in_the_background_and_joined(api: RunningApi) -> None:
    text = "Chapter 1\n\nIt was a quiet morning. Nobody came.\n\nChapter 2\n\nThe end came soon enough."
    begun = call(api.url, "speak_long", text=text, voice="builtin/aria", language="en").structured_content
    assert begun is not None
    project = str(begun["project_id"])
    api.services.making.runner.wait(project)
    status = call(api.url, "project_status", project_id=project).structured_content
    assert status is not None
    assert (status["state"], status["segments"]) == ("done", {"ready": begun["total"]})
    file = call(api.url, "export_project", project_id=project, format="flac").structured_content
    assert file is not None
    content = httpx.get(file["url"], timeout=TIMEOUT_S, trust_env=False).content
    samples, rate = soundfile.read(io.BytesIO(content))
    assert len(samples) / rate == pytest.approx(file["duration_seconds"], abs=0.01)
    assert "[project_not_found]" in refusal(call(api.url, "project_status", project_id="nothing"))


def test_voices_are_listed_as_speak_takes_them(api: RunningApi) -> None:
    voices = call(api.url, "list_voices").structured_content
    assert voices is not None
    first = voices["result"][0]
    assert facts(call(api.url, "speak", text="Hi", voice=first["id"]))["voice"] == first["name"]
    assert "[voice_not_found]" in refusal(call(api.url, "speak", text="Hi", voice="nobody at all"))


def test_a_recording_is_imitated_and_so_is_a_saved_voice(stage: Stage, http: httpx.Client) -> None:
    recording = base64.b64encode(stage.recording.read_bytes()).decode()
    result = call(
        stage.url, "clone", text="Hi.", audio=recording, transcript="hello world", format="wav", max_seconds=0.5
    )
    assert len(sound(result)[0]) > 0
    written = call(stage.url, "clone", text="Hi.", audio=f"data:audio/flac;base64,{recording}", max_seconds=0.5)
    assert facts(written)["sample_rate"] == 24_000
    saved = ready(http, stage.recording, name="Berta")
    assert facts(call(stage.url, "clone", text="Hi.", voice="Berta", max_seconds=0.5))["duration_seconds"] > 0
    assert saved in {voice.id for voice in stage.services.voices.voices()}


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        ("https://example.com/me.wav", "audio_unreadable"),
        ("file:///etc/passwd", "audio_unreadable"),
        ("/etc/passwd", "audio_unreadable"),
        ("aGVsbG8=", "audio_unreadable"),
        ("", "reference_required"),
        (silence(), "recording_silent"),
    ],
)
def test_no_address_is_fetched_and_no_file_is_opened(stage: Stage, audio: str, code: str) -> None:
    assert f"[{code}]" in refusal(call(stage.url, "clone", text="Hi.", audio=audio))


def test_only_posts_are_answered_and_other_sites_are_refused(api: RunningApi) -> None:
    with httpx.Client(base_url=api.url, timeout=TIMEOUT_S, trust_env=False) as client:
        assert client.get("/mcp").status_code == 405
        foreign = client.post("/mcp", json=CALL, headers={**ACCEPT, "Origin": "https://evil.example"})
        assert foreign.json()["detail"] == "origin_not_allowed"
        for path in ("/mcp", "/mcp/", "/gradio_api/mcp/"):
            assert client.post(path, json=CALL, headers=ACCEPT).status_code == 200, path


def test_who_comes_from_elsewhere_needs_a_key(tmp_path: Path, serve: Serve) -> None:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path), "TTS_STUDIO_AUTH": "off"}))
    url = serve(create_api(services))
    elsewhere = {**ACCEPT, "X-Forwarded-For": "203.0.113.7"}
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
        assert client.post("/mcp", json=CALL, headers=ACCEPT).status_code == 200
        refused = client.post("/mcp", json=CALL, headers=elsewhere)
        assert (refused.status_code, refused.json()["detail"]) == (401, "login_required")
    services.close()


@pytest.mark.parametrize("role", list(Role))
def test_a_key_opens_it_for_admins_and_guests(tmp_path: Path, serve: Serve, role: Role) -> None:
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path), "TTS_STUDIO_AUTH": "on"})
    services = build_services(settings)
    _, key = AccountsFile(settings.paths.accounts_file).add_key("assistant", role)
    url = serve(create_api(services))
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
        assert client.post("/mcp", json=CALL, headers=ACCEPT).status_code == 401
        wrong = client.post("/mcp", json=CALL, headers={**ACCEPT, "Authorization": "Bearer wrong"})
        assert (wrong.status_code, wrong.json()["detail"]) == (401, "wrong_key")
        elsewhere = {**ACCEPT, "Authorization": f"Bearer {key}", "X-Forwarded-For": "203.0.113.7"}
        answer = client.post("/mcp", json=CALL, headers=elsewhere)
        assert (answer.status_code, "list_voices" in answer.text) == (200, True)
    services.close()
