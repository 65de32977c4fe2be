"""YourTTS installed without Coqui's code: the studio's own process, protocol and folders, and a model made of tones.

Only what needs Coqui's libraries is replaced in the child process, `engines.yourtts.service.model`. Everything else
there is the real thing, so that tests of what stands above it need neither a download nor seconds of loading.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tts_core.engines.yourtts.environment import Environment
from tts_core.engines.yourtts.finder import LOCAL_NAME
from tts_core.platform.settings.studio import Settings

RATE = 16_000
VECTOR_SIZE = 512
SPEAKERS = ("female-en-5", "male-en-2")

MODEL = f'''#!{sys.executable}
"""Runs the real service with a model that says every letter as a tone: a speaker's vector sets the pitch."""
import sys, types
import numpy as np

root = sys.argv[-1]
sys.path.append(root)


class LoadedModel:
    def facts(self):
        return {{
            "languages": ["en", "fr-fr", "pt-br"],
            "speakers": {list(SPEAKERS)!r},
            "sample_rate": {RATE},
            "vector_size": {VECTOR_SIZE},
            "device": "cpu",
        }}

    def vector(self, samples, rate):
        spectrum = np.abs(np.fft.rfft(samples, 2 * {VECTOR_SIZE}))[:{VECTOR_SIZE}]
        return (spectrum / np.linalg.norm(spectrum)).astype(np.float32)

    def speak(self, wanted, vector):
        pitch = 100.0 + 10 * int(np.argmax(vector)) if len(vector) else 90.0
        count = int(len(wanted["text"]) * {RATE} / 50 / wanted["speed"])
        yield (0.3 * np.sin(2 * np.pi * pitch * np.arange(count) / {RATE})).astype(np.float32)


model = types.ModuleType("tts_core.engines.yourtts.service.model")
model.LoadedModel = LoadedModel
model.load_model = lambda folder, *, gpu: LoadedModel()
sys.modules[model.__name__] = model
from tts_core.engines.yourtts.service.__main__ import main
main()
'''


def install(settings: Settings) -> None:
    """Put the environment and the model where the studio looks for them. Skips where a script is no program."""
    if sys.platform == "win32":
        pytest.skip("a script can't stand in for python.exe")
    environment = Environment(settings.paths.yourtts_dir / "environment")
    environment.python.parent.mkdir(parents=True)
    environment.python.write_text(MODEL, encoding="utf-8")
    environment.python.chmod(0o755)
    environment.mark()
    model = settings.paths.models_dir / LOCAL_NAME
    model.mkdir(parents=True)
    clips = {name: {"name": name, "embedding": np.zeros(VECTOR_SIZE).tolist()} for name in SPEAKERS}
    for name, content in (
        ("config.json", {"audio": {"sample_rate": RATE}}),
        ("config_se.json", {"audio": {"sample_rate": RATE}}),
        ("language_ids.json", {"en": 0, "fr-fr": 1, "pt-br": 2}),
        ("speakers.json", clips),
    ):
        (model / name).write_text(json.dumps(content), encoding="utf-8")
    for name in ("model_file.pth", "model_se.pth"):
        (model / name).write_bytes(b"weights")
