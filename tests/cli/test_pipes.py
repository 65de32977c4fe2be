"""The command line as a part of a pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tts_core.platform.paths import ROOT_DIR


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tts_core", "voices", "--json", "--data-dir", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
