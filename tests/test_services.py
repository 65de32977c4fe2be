"""The parts put together, with real engines and a real folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.conftest import wait_until
from tts_core.domain.values import SynthesisRequest
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    built = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data")}))
    yield built
    built.close()


def test_building_the_services_writes_nothing(services: Services) -> None:
    assert services.synthesis.voices()
    assert not services.settings.paths.data_dir.exists()


def test_the_built_in_voice_speaks_when_no_model_is_there(services: Services) -> None:
    take = collect(services.synthesis.speak(SynthesisRequest("Hello. 你好。")))
    assert take.voice.engine == "builtin"
    assert take.path.parent == services.settings.paths.outputs_dir
    assert soundfile.info(take.path).duration == pytest.approx(take.duration_s)
    assert services.outputs.find(take.id) == take.path


def test_starting_clears_out_old_takes(services: Services) -> None:
    take = collect(services.synthesis.speak(SynthesisRequest("Hello.")))
    long_ago = time.time() - 365 * 86_400
    os.utime(take.path, (long_ago, long_ago))
    services.start()
    wait_until(lambda: not take.path.exists())
