from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tts_core.engines.qwen.talker.weights import Placement
from tts_core.engines.qwen.talker_model import TalkerModel

CPU_FLOAT32 = Placement(torch.device("cpu"), torch.float32)
WriteCheckpoint = Callable[[str, str], Path]
LoadTalker = Callable[[str, str], TalkerModel]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tiny tensors gain nothing from threads, and threads of several processes wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> WriteCheckpoint:
    """Formula checkpoint of a kind ("custom_voice", "base", "voice_design") and geometry ("a", "b"), written once."""
    root = tmp_path_factory.mktemp("checkpoints")
    return cache(lambda kind, geometry: write_checkpoint(root / f"{kind}-{geometry}", kind=kind, geometry=geometry))


@pytest.fixture(scope="session")
def talker_model(checkpoint: WriteCheckpoint) -> LoadTalker:
    """The speaking half of such a checkpoint in float32 on the CPU, loaded once."""
    return cache(lambda kind, geometry: TalkerModel.load(checkpoint(kind, geometry), CPU_FLOAT32))
