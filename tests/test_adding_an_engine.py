"""An engine is added as docs/architecture.md says: a file and a line. Done on a copy of the tree, which then speaks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gradio_client import Client

from tests import ROOT
from tests.ui.conftest import running_app

ENGINE = '''"""Says every character as a tenth of a second of a tone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tts_core.domain.engine import CancelCheck
from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.values import Capabilities, Language, StopReason, SynthesisRequest, Voice


class ToyEngine:
    name = "toy"

    def voices(self) -> tuple[Voice, ...]:
        return (Voice("toy/beep", "Beep", self.name),)

    def capabilities(self, voice: str | None = None) -> Capabilities:
        return Capabilities((Language("auto", "Auto"), Language("en", "English")), speakers=("Beep",))

    def sample_rate(self, voice: str) -> int:
        return 8000

    def at_once(self, voice: str) -> int:
        return 1

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        for _ in request.text:
            if cancelled():
                break
            yield AudioChunk(np.full(800, 0.1, np.float32))
        yield Finished(StopReason.COMPLETE, None)

    def close(self) -> None:
        pass
'''
LINE, IMPORT = "(*builtin.engines, ", "from tts_core.engines.espeak.engine import EspeakEngine\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the toy engine in it."""
    root = tmp_path_factory.mktemp("tree")
    for name in ("app.py", "requirements.txt", "requirements-piper.txt", "requirements-yourtts.txt"):
        shutil.copy(ROOT / name, root)
    for name in ("tts_core", "assets"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "tts_core" / "engines" / "toy").mkdir()
    (root / "tts_core" / "engines" / "toy" / "__init__.py").write_text('"""A toy."""\n', encoding="utf-8")
    (root / "tts_core" / "engines" / "toy" / "engine.py").write_text(ENGINE, encoding="utf-8")
    services = root / "tts_core" / "services.py"
    text = services.read_text(encoding="utf-8")
    assert text.count(LINE) == text.count(IMPORT) == 1
    text = text.replace(IMPORT, IMPORT + "from tts_core.engines.toy.engine import ToyEngine\n")
    services.write_text(text.replace(LINE, LINE + "ToyEngine(), "), encoding="utf-8")
    return root


def test_its_voice_speaks_on_the_command_line(tree: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tts_core", "speak", "Hello.", "--voice", "toy/beep", "--out", "hello.wav"]
    done = subprocess.run(
        [*command, "--data-dir", str(tmp_path)], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tree / "hello.wav").stat().st_size > 6 * 800 * 2


def test_its_voice_speaks_through_rest_and_the_page(tree: Path, tmp_path: Path) -> None:
    with running_app(tmp_path, root=tree) as app:
        with app.program() as program:
            voices = program.get("/api/tts/qwen3/speakers").json()["data"]
            assert "toy/beep" in str(voices)
            asked = {"text": "Hello.", "voice_id": "toy/beep"}
            answer = program.post("/api/tts/qwen3/synthesize", json=asked).raise_for_status().json()
            assert answer["data"]["duration_seconds"] == pytest.approx(0.6)
        client = Client(app.url, verbose=False, download_files=str(tmp_path), analytics_enabled=False)
        _, details, *_ = client.predict(text="Hello.", voice="toy/beep", api_name="/synthesize")
        client.close()
    assert (details["voice"], details["duration_seconds"]) == ("toy/beep", pytest.approx(0.6))
