"""`python -m tests.engines.yourtts [ENVIRONMENT]`: what YourTTS itself does, with Coqui's loading code, random weights.

ENVIRONMENT is the folder that `install-yourtts` made; left out, the one of this user's studio.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.engines.yourtts.conftest import VARIABLE, environment
from tts_core.engines.yourtts.environment import Environment


def main(arguments: list[str]) -> int:
    if arguments:
        os.environ[VARIABLE] = arguments[0]
    found: Environment = environment()
    if not found.is_installed:
        sys.stderr.write(f"There is no whole environment in {found.folder}: python -m tts_core install-yourtts\n")
        return 1
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "yourtts", "tests/engines/yourtts"], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
