"""`make-checkpoint`: a model's folder with random weights, for benchmarks and trials."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tts_core.cli import progress
from tts_core.cli.faults import OutputExists, OutputUnwritable
from tts_core.cli.status import Exit
from tts_core.engines.qwen.talker.config import GEOMETRIES, KINDS
from tts_core.services import Services


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "make-checkpoint", parents=[shared], help="write a model folder with random weights, for benchmarks"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write: a new or an empty one")
    parser.add_argument("--geometry", choices=GEOMETRIES, default="tiny", help="default: tiny")
    parser.add_argument("--kind", choices=KINDS, default="custom_voice", help="default: custom_voice")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another seed gives other weights")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, _services: Services) -> Exit:
    out: Path = args.out
    from tts_core.cli.bench.random_checkpoint import write_random_checkpoint  # noqa: PLC0415 - torch: seconds

    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputExists(path=out)
        write_random_checkpoint(out, args.geometry, args.kind, seed=abs(args.seed), progress=_show)
    except OSError as error:
        raise OutputUnwritable(path=out, reason=error.strerror or str(error)) from error
    finally:
        progress.clear()
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{out}: {args.kind} of {args.geometry} geometry, {size / 1e6:.0f} MB. Its weights are random.")
    return Exit.DONE


def _show(done_bytes: int, total_bytes: int) -> None:
    progress.show(f"{done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB written")
