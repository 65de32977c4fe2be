"""A process that works on a project may be killed at any step: the project opens, and what was finished is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tts_core.platform.paths import ROOT_DIR

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the process is killed in forks")


@pytest.mark.parametrize("times", [8, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.thorough])])
def test_a_project_survives_being_killed_amid_edits_and_takes(tmp_path: Path, times: int) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.studio.crash_loop", str(tmp_path), str(times), "1"],
        cwd=ROOT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    killed = int(run.stdout.split()[2])
    assert killed > times / 2
