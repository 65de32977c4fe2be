"""A studio that is killed in the middle of a project, as `python -m tests.studio.making.killed FOLDER ID AFTER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.studio.making.stage import ReaderEngine, Stage
from tts_core.domain.values import SynthesisRequest
from tts_core.studio.making.runs import Scope


def main(folder: Path, project_id: str, after: int) -> None:
    """Make the project; the engine kills the process in the reading with that number, 0 for never."""
    stage = Stage(folder, ReaderEngine())

    def reading(request: SynthesisRequest, before: int) -> str:
        if len(stage.engine.seen) == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return sometimes_wrong(request, before)

    stage.engine.reading = reading
    stage.runner.start(project_id, Scope())
    stage.runner.wait(project_id)
    stage.close()
    sys.stdout.write(f"{len(stage.engine.readings)}")


def sometimes_wrong(request: SynthesisRequest, _before: int) -> str:
    """Wrong for some seeds, so that takes are made again on both sides of the end of a process."""
    return " ".join(request.text.split()[:3]) if (request.seed or 0) % 4 == 0 else request.text


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
