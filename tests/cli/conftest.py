"""Runs the command line in this process, on a data folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tts_core.cli.main import main


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data_dir: Path, capsys: pytest.CaptureFixture[str], log_handlers_put_back: None) -> Run:
    def run(*arguments: str | Path) -> Answer:
        status = main(["--data-dir", str(data_dir), *map(str, arguments)])
        told = capsys.readouterr()
        return Answer(status, told.out, told.err)

    return run
