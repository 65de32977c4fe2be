"""One app with tiny models for every page test about voices, and a visitor whose microphone hears a voice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import soundfile
from gradio_client import Client
from playwright.sync_api import Browser

from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tests.ui.conftest import NAMED_HOST, RunningApp, Visitor, running_app
from tests.ui.voices.steps import RATE

MODELS = {
    "Qwen3-TTS-12Hz-0.6B-Base": ("base", "a"),
    "Qwen3-TTS-12Hz-0.6B-CustomVoice": ("custom_voice", "a"),
    "Qwen3-TTS-12Hz-1.7B-VoiceDesign": ("voice_design", "b"),
}
"""Folder to kind and geometry."""


@pytest.fixture(scope="package")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    data_dir = tmp_path_factory.mktemp("voices")
    for folder, (kind, geometry) in MODELS.items():
        write_checkpoint(data_dir / "models" / "Qwen" / folder, kind=kind, geometry=geometry)
    with running_app(data_dir, {"TTS_STUDIO_ALLOWED_HOSTS": NAMED_HOST}) as app:
        yield app


@pytest.fixture(scope="package")
def client(studio: RunningApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = Client(studio.url, download_files=str(tmp_path_factory.mktemp("downloads")), verbose=False)
    yield client
    client.close()


@pytest.fixture
def visitor(talking_browser: Browser, studio: RunningApp) -> Iterator[Visitor]:
    """Who must see no error of the page, and whose browser must ask nobody else."""
    context = talking_browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    visitor = Visitor(context, studio)
    yield visitor
    context.close()
    assert visitor.errors == []
    hosts = {urlsplit(url).hostname for url in visitor.requested if url.startswith(("http:", "https:"))}
    assert hosts <= {"127.0.0.1", NAMED_HOST}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "me.wav", reference_audio(), RATE)
    return tmp_path / "me.wav"
