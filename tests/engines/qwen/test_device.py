"""The probe runs in its own process, as the studio asks it; stand-ins for torch show machines we don't have here."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tts_core.engines.qwen.device import probe_acceleration
from tts_core.platform.acceleration import REASONS, Acceleration, ComputeCapability, Gpu, Reason, on_cpu

CARDS = """
    class cuda:
        is_available = staticmethod(lambda: True)
        device_count = staticmethod(lambda: 2)
        @staticmethod
        def get_device_properties(index):
            return SimpleNamespace(name=f"Card {index}", total_memory=(8 + 16 * index) * 10**9, major=8, minor=9)
"""
NO_CARDS = """
    class cuda:
        is_available = staticmethod(lambda: False)
"""


def torch_with(cards: str, *, cuda: str | None = "13.0", total: str = "8") -> str:
    """Source of a stand-in for torch with these cards, on which eight ones sum up to `total`."""
    return f"""
from types import SimpleNamespace
class torch:
{cards}
__version__ = "2.13.0"
cuda = torch.cuda
version = SimpleNamespace(cuda={cuda!r}, hip=None)
backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False, is_built=lambda: False))
class ones:
    def __init__(self, count, device): pass
    def sum(self): return self
    def item(self): return {total}
"""


@pytest.fixture
def probe_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProbeWith:
    return ProbeWith(tmp_path, monkeypatch)


class ProbeWith:
    """Asks the probe as if `source` were torch."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = folder / "torch.py"
        monkeypatch.setenv("PYTHONPATH", str(folder))

    def __call__(self, source: str, *, timeout_s: float = 60) -> Acceleration:
        self._file.write_text(source, encoding="utf-8")
        return probe_acceleration(timeout_s=timeout_s)


def code_of(found: Acceleration) -> str:
    assert [reason.message for reason in found.reasons]  # every code has a sentence that its parameters fill
    return found.reasons[0].code


def test_the_installed_torch_computes_somewhere() -> None:
    found = probe_acceleration(timeout_s=120)
    assert found.torch_version is not None
    assert found.torch_version.startswith("2.13.0")
    assert found.supported == (found.preferred_device != "cpu")


def test_the_card_with_the_most_memory_is_preferred(probe_with: ProbeWith) -> None:
    found = probe_with(torch_with(CARDS))
    assert (found.supported, found.preferred_device, found.backend) == (True, "cuda:1", "cuda")
    assert found.gpu == Gpu(1, "Card 1", 24 * 10**9, ComputeCapability(8, 9))
    assert "Card 1" in found.reasons[0].message


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (torch_with(NO_CARDS), "no_gpu"),
        (torch_with(NO_CARDS, cuda=None), "torch_without_gpu"),
        (torch_with(CARDS, total="1 / 0"), "gpu_unusable"),
        (torch_with(CARDS, total="7"), "gpu_unusable"),
        ("raise OSError('libcudart is missing')", "torch_broken"),
        ("import a_module_that_torch_lacks", "torch_broken"),
        ("import os, sys; sys.stderr.write('Illegal instruction'); os._exit(132)", "torch_broken"),
        ("raise ModuleNotFoundError(name='torch')", "torch_missing"),
    ],
)
def test_the_reason_for_the_cpu_is_told(probe_with: ProbeWith, source: str, code: str) -> None:
    found = probe_with(source)
    assert (found.supported, found.preferred_device, code_of(found)) == (False, "cpu", code)


def test_a_torch_that_hangs_is_given_up(probe_with: ProbeWith) -> None:
    assert code_of(probe_with("import time; time.sleep(60)", timeout_s=1)) == "probe_timeout"


def test_a_missing_interpreter_is_a_reason_not_a_crash() -> None:
    assert code_of(probe_acceleration(timeout_s=10, python="/no/such/python")) == "torch_broken"


def test_what_is_printed_beside_the_answer_does_not_matter(probe_with: ProbeWith) -> None:
    assert code_of(probe_with("print('a banner')\n" + torch_with(NO_CARDS))) == "no_gpu"


def test_an_answer_survives_json() -> None:
    gpu = Gpu(0, "Card", 24 * 10**9, ComputeCapability(9, 0))
    answers = (
        Acceleration(True, "cuda:0", "cuda", (Reason("cuda_ready", {"name": "Card"}),), gpu, "2.13.0"),
        on_cpu(Reason("no_gpu", {"torch": "2.13.0"}), torch_version="2.13.0"),
    )
    assert tuple(Acceleration.from_json(json.loads(json.dumps(asdict(answer)))) for answer in answers) == answers


def test_asking_does_not_load_torch_here() -> None:
    ask = "import sys; from tts_core.engines.qwen.device import probe_acceleration; probe_acceleration(timeout_s=120)"
    subprocess.run([sys.executable, "-c", f"{ask}; sys.exit('torch' in sys.modules)"], check=True, timeout=150)
    assert REASONS
