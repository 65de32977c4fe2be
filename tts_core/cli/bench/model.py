"""The model that is measured: a folder that the user names, or random weights, made once and kept."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from tts_core.cli import progress
from tts_core.cli.faults import OutputUnwritable
from tts_core.engines.qwen.talker.config import GEOMETRIES, KINDS
from tts_core.platform.paths import Paths


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", type=Path, metavar="DIR", help="the model's folder (default: random weights)")
    parser.add_argument("--geometry", choices=GEOMETRIES, default="0.6b", help="of the random weights (default 0.6b)")
    parser.add_argument("--kind", choices=KINDS, default="custom_voice", help="of the same (default custom_voice)")


def model_folder(args: argparse.Namespace, paths: Paths) -> Path:
    """The folder to measure; random weights are written where there are none yet. Raises OutputUnwritable."""
    if args.model_dir is not None:
        return Path(args.model_dir)
    folder = paths.bench_dir / f"{args.geometry}-{args.kind}"
    if not folder.is_dir():
        try:
            _write(folder, args.geometry, args.kind)
        except OSError as error:
            raise OutputUnwritable(path=folder, reason=error.strerror or str(error)) from error
    return folder


def _write(folder: Path, geometry: str, kind: str) -> None:
    """Write random weights to a folder beside it first, so that a folder of this name is always whole."""
    from tts_core.cli.bench.random_checkpoint import write_random_checkpoint  # noqa: PLC0415 - torch: seconds

    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write_random_checkpoint(unfinished, geometry, kind, progress=_show)
        unfinished.rename(folder)
    finally:
        progress.clear()
        shutil.rmtree(unfinished, ignore_errors=True)


def _show(done_bytes: int, total_bytes: int) -> None:
    progress.show(f"Random weights: {done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB written")
