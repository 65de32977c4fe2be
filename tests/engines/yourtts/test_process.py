"""YourTTS's own process: Coqui's code loads a model in Coqui's layout and speaks with it."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.conftest import first_line, wait_until
from tests.engines.yourtts.conftest import make_model
from tts_core.domain.errors import EngineFailed
from tts_core.engines.yourtts.environment import Environment
from tts_core.engines.yourtts.framing import NOTHING, Floats
from tts_core.engines.yourtts.process import YourTtsProcess
from tts_core.platform.paths import ROOT_DIR

pytestmark = [pytest.mark.yourtts, pytest.mark.slow]

RATE = 16_000
TEXT = "Hello there, this is me."


def sound(process: YourTtsProcess, vector: Floats = NOTHING, **wanted: Any) -> Floats:
    asked = {"text": TEXT, "language": "en", "speaker": "male-en-2", "speed": 1.0, "seed": 1, **wanted}
    return np.concatenate([NOTHING, *process.speak(asked, vector, lambda: False)])


def recording(seed: int) -> Floats:
    noise = np.random.default_rng(seed).standard_normal(2 * RATE)
    return (0.1 * np.convolve(noise, np.ones(1 + 8 * seed) / (1 + 8 * seed), "same")).astype(np.float32)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def pid_of(process: YourTtsProcess) -> int:
    children = psutil.Process().children()
    return next(child.pid for child in children if "tts_core.engines.yourtts.service" in " ".join(child.cmdline()))


def test_coqui_loads_the_model_and_tells_what_it_is(process: YourTtsProcess) -> None:
    facts = process.load()
    assert facts.languages == ("en", "fr-fr", "pt-br")
    assert facts.speakers == ("female-en-5", "female-pt-4", "male-en-2"), "without the line ends of the published file"
    assert (facts.sample_rate, facts.vector_size, facts.device) == (RATE, 512, "cpu")
    assert process.memory_bytes > 0


def test_the_same_seed_is_the_same_sound(process: YourTtsProcess) -> None:
    first = sound(process)
    assert len(first) > RATE / 10
    assert np.array_equal(first, sound(process))
    assert not np.array_equal(first, sound(process, seed=2))


def test_speed_stretches_the_speech(process: YourTtsProcess) -> None:
    plain, fast, slow = (len(sound(process, speed=speed)) for speed in (1.0, 2.0, 0.5))
    assert fast < 0.75 * plain < plain < 0.75 * slow
    assert len(sound(process)) == plain, "it does not stay for the next request"


def test_languages_and_speakers_make_a_difference(process: YourTtsProcess) -> None:
    english = sound(process)
    for found in (sound(process, language="fr-fr"), sound(process, speaker="female-en-5")):
        assert len(found) != len(english) or not np.allclose(found, english)


def test_a_recording_becomes_a_vector_and_the_vector_a_voice(process: YourTtsProcess) -> None:
    one, other = process.vector(recording(1), RATE), process.vector(recording(2), RATE)
    assert one.shape == (512,)
    assert np.linalg.norm(one) == pytest.approx(1.0, abs=0.05)
    assert not np.allclose(one, other)
    assert np.allclose(one, process.vector(recording(1), RATE), atol=1e-5)
    first, second = sound(process, one), sound(process, other)
    assert len(first) != len(second) or not np.allclose(first, second)


def test_sentences_come_one_by_one_and_letters_it_does_not_know_are_passed_over(process: YourTtsProcess) -> None:
    asked = {"text": "One. 你好。 Two.", "language": "en", "speaker": "", "speed": 1.0, "seed": 1}
    assert len(list(process.speak(asked, NOTHING, lambda: False))) >= 2
    assert len(sound(process, text="你好")) == 0


def test_who_stops_listening_stops_it_and_the_next_one_is_served(process: YourTtsProcess) -> None:
    asked = {"text": "This is one sentence. " * 40, "language": "en", "speaker": "", "speed": 1.0, "seed": 1}
    heard: list[Floats] = []
    heard.extend(process.speak(asked, NOTHING, lambda: bool(heard)))
    assert 1 <= len(heard) < 40
    assert len(sound(process)) > 0


def test_a_process_that_dies_is_started_again(process: YourTtsProcess) -> None:
    process.load()
    before = pid_of(process)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: not alive(before))
    assert len(sound(process)) > 0
    assert pid_of(process) != before


def test_earlier_releases_names_are_known(installed: Environment, tmp_path: Path) -> None:
    older = YourTtsProcess(installed.python, make_model(installed, tmp_path / "older", "--older"), gpu=False)
    assert older.load().vector_size == 512
    older.close()


def test_weights_that_are_none_are_told(installed: Environment, model: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    (broken / "model_file.pth").write_bytes(b"no weights at all" * 100)
    process = YourTtsProcess(installed.python, broken, gpu=False)
    with pytest.raises(EngineFailed, match="YourTTS"):
        process.load()
    process.close()


class _Attack:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.file,))


def test_a_pickle_that_wants_to_run_something_runs_nothing(installed: Environment, model: Path, tmp_path: Path) -> None:
    hostile, mark = Path(shutil.copytree(model, tmp_path / "hostile")), tmp_path / "was here"
    (hostile / "model_file.pth").write_bytes(pickle.dumps({"model": _Attack(mark)}, protocol=2))
    process = YourTtsProcess(installed.python, hostile, gpu=False)
    with pytest.raises(EngineFailed):
        process.load()
    process.close()
    assert not mark.exists()


def test_it_ends_with_the_studio_even_when_that_is_killed(installed: Environment, model: Path, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import psutil, sys, time; from pathlib import Path;"
        "from tts_core.engines.yourtts.process import YourTtsProcess;"
        "p = YourTtsProcess(Path(sys.argv[1]), Path(sys.argv[2]), gpu=False); p.load();"
        "Path(sys.argv[3]).write_text(f'{psutil.Process().children()[0].pid}\\n'); time.sleep(600)"
    )
    studio = subprocess.Popen([sys.executable, "-c", code, str(installed.python), str(model), str(note)], cwd=ROOT_DIR)
    try:
        service = int(first_line(note))
        assert alive(service)
    finally:
        studio.kill()
        studio.wait()
    wait_until(lambda: not alive(service))
