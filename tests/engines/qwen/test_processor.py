"""Threads fit the processors that a process may really use, and what can't be compiled is a reason, not a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tts_core.engines.qwen.kernels import processor
from tts_core.engines.qwen.placing import use_few_threads
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.compute import checked_threads


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system can't hold a process to processors")
def test_threads_are_no_more_than_the_processors_of_the_process() -> None:
    program = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from tts_core.engines.qwen.kernels.processor import best_threads; print(best_threads())"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"quota": "100000\n", "period": "100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, processor.MAX_THREADS),
        ({"quota": "-1\n", "period": "100000\n"}, processor.MAX_THREADS),
        ({}, processor.MAX_THREADS),
    ],
)
def test_a_containers_share_of_time_bounds_the_threads(
    files: dict[str, str], most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="ascii")
    monkeypatch.setattr(processor, "_QUOTA_FILES", (tmp_path / "cpu.max", tmp_path / "quota"))
    monkeypatch.setattr(processor, "_PERIOD_FILE", tmp_path / "period")
    assert 1 <= processor.best_threads() <= most


def test_the_number_of_threads_can_be_said() -> None:
    before = torch.get_num_threads()
    try:
        use_few_threads(3)
        assert torch.get_num_threads() == 3
        use_few_threads()
        assert torch.get_num_threads() == processor.best_threads()
    finally:
        torch.set_num_threads(before)
    assert [checked_threads("T", word) for word in ("", "auto", " 12 ")] == [None, None, 12]
    for wrong in ("0", "-1", "two", "1.5", "257", "٣"):
        with pytest.raises(InvalidSetting, match="from 1 to 256"):
            checked_threads("T", wrong)


def test_without_a_compiler_the_reason_is_told(tmp_path: Path) -> None:
    """A stand-in for numba that can't be loaded."""
    (tmp_path / "numba.py").write_text("raise ImportError('no compiler for this processor')", encoding="utf-8")
    program = (
        "from tts_core.engines.qwen.kernels.processor import compiler_problem, whole_numbers\n"
        "print(compiler_problem()); print(whole_numbers())"
    )
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert answer.stdout.splitlines() == ["ImportError: no compiler for this processor", "()"]


def test_this_machines_compiler_works() -> None:
    assert processor.compiler_problem() == ""
    assert "int8" in processor.whole_numbers()
