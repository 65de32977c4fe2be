"""From nothing to a transcript: a Whisper model comes from a loopback hub like any other, then listens."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.engines.whisper.scripted_whisper import write_whisper
from tests.engines.whisper.speech import RATE, speech
from tests.hubs.content import write_bytes
from tests.hubs.fixtures import hubs, small_model
from tests.hubs.hubs import Hubs
from tests.hubs.models import PublishedModel
from tts_core.audio.reading import Clip
from tts_core.engines.faults import TranscriberMissing
from tts_core.models.catalogue import ModelKind
from tts_core.models.files.findings import Verification
from tts_core.platform.job import JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

__all__ = ["hubs", "small_model"]

KEY = "whisper_tiny"


@pytest.fixture
def published(hubs: Hubs, tmp_path: Path) -> PublishedModel:
    source = write_whisper(tmp_path / "written")
    files = {path.name: write_bytes(tmp_path / "stored" / path.name, path.read_bytes()) for path in source.iterdir()}
    names = "".join(file.sha256 for file in files.values())
    model = PublishedModel(
        KEY, ModelKind.WHISPER, "faster-whisper-tiny", files, hashlib.sha1(names.encode()).hexdigest()
    )
    hubs.publish(model)
    return model


def test_a_downloaded_whisper_model_is_verified_and_listens(
    hubs: Hubs, published: PublishedModel, tmp_path: Path
) -> None:
    folders = {"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), "QWEN_TTS_MODELS_DIR": str(tmp_path / "models")}
    services = build_services(Settings.from_env({**hubs.environ(), **folders, "TTS_STUDIO_DEVICE": "cpu"}))
    clip = Clip(speech(5), RATE)
    with pytest.raises(TranscriberMissing):
        services.transcriber.transcribe(clip)
    services.downloads.start(KEY, "auto")
    *_, task = services.downloads.follow(KEY)
    assert (task.state, task.progress, task.notes) == (JobState.DONE, 100.0, ())
    assert services.models.status(KEY).verification is Verification.VERIFIED
    assert hubs.sent() == published.total_bytes
    assert services.transcriber.transcribe(clip).text == "hello world"
    services.close()
