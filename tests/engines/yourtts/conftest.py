"""YourTTS's own environment and models with random weights, made by Coqui's code in it; without it nothing runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tts_core.engines.yourtts.environment import Environment
from tts_core.engines.yourtts.process import YourTtsProcess
from tts_core.platform.settings.studio import Settings

VARIABLE = "TTS_STUDIO_TEST_YOURTTS"
"""The environment's folder; else that of this user's studio."""
MAKE = Path(__file__).parent / "make_checkpoint.py"


@pytest.fixture(scope="session", autouse=True)
def _calm_children() -> Iterator[None]:
    """For tiny models: more threads gain nothing there, and lose much on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        yield


def environment() -> Environment:
    named = os.environ.get(VARIABLE, "")
    return Environment(Path(named) if named else Settings.from_env({}).paths.yourtts_dir / "environment")


@pytest.fixture(scope="session")
def installed() -> Environment:
    found = environment()
    if not found.is_installed:
        pytest.skip(f"no YourTTS in {found.folder}; python -m tests.engines.yourtts says more")
    return found


@pytest.fixture(scope="session")
def model(installed: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In Coqui's layout, as releases have it now."""
    return make_model(installed, tmp_path_factory.mktemp("model") / "your_tts")


@pytest.fixture(scope="module")
def process(installed: Environment, model: Path) -> Iterator[YourTtsProcess]:
    made = YourTtsProcess(installed.python, model, gpu=False)
    yield made
    made.close()


def make_model(installed: Environment, folder: Path, *options: str) -> Path:
    subprocess.run([str(installed.python), "-I", str(MAKE), str(folder), *options], check=True, timeout=300)
    return folder
