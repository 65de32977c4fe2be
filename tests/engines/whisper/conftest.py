"""One scripted model for all tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engines.whisper.scripted_whisper import write_whisper
from tts_core.domain.events import Samples
from tts_core.engines.whisper.model import WhisperModel


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tiny products gain nothing from more, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("whisper") / "model")


@pytest.fixture(scope="session")
def model(folder: Path) -> WhisperModel:
    return WhisperModel.load(folder)


def noise(seconds: float, rate: int = 16_000) -> Samples:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32)
