"""`gpu-check`: tests whether a graphics processor computes what it should, and how fast, with random weights."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tts_core.cli import progress
from tts_core.cli.bench import serve as bench_serve, synth as bench_synth
from tts_core.cli.bench.command import positive
from tts_core.cli.bench.peer import PeerChoice
from tts_core.cli.bench.report import print_report
from tts_core.cli.status import Exit
from tts_core.engines.qwen.talker.config import GEOMETRIES
from tts_core.platform.settings.compute import AUTO
from tts_core.services import Services

_CHECK_FRAMES = 24
_AT_ONCE = (1, 2, 4, 8, 16, 32)
_PEER = "faster-qwen3-tts"


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "gpu-check", parents=[shared], help="correctness and speed of a graphics processor, with random weights"
    )
    parser.add_argument("--geometry", choices=GEOMETRIES, nargs="+", default=["0.6b", "1.7b"], help="default: both")
    parser.add_argument("--frames", type=positive, default=125, metavar="N", help="of each timed take (default 125)")
    parser.add_argument("--runs", type=positive, default=3, metavar="N", help="timed rounds (default 3)")
    parser.add_argument("--on", default="cuda", metavar="DEVICE", help="torch's name of it (default: cuda)")
    parser.add_argument(
        "--peer-python", type=Path, metavar="FILE", help=f"Python of an environment with {_PEER}: beside it, in turn"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    """Check and measure every geometry. The status is an error when a check fails; all tables are printed anyway."""
    from tts_core.cli.bench.random_checkpoint import write_random_checkpoint  # noqa: PLC0415 - torch: seconds

    passed = True
    for geometry in args.geometry:
        with tempfile.TemporaryDirectory(prefix="gpu-check-") as root:
            folder = Path(root) / geometry
            progress.show(f"Writing random weights of {geometry} geometry")
            write_random_checkpoint(folder, geometry, "custom_voice")
            progress.clear()
            passed = _checks(geometry, folder, args.on) and passed
            for precision in (AUTO, "int8") if args.on.startswith("cuda") else (AUTO,):
                _table(geometry, folder, precision, args, services)
            if args.peer_python is not None:
                _beside_peer(geometry, folder, args, services)
    return Exit.DONE if passed else Exit.ERROR


def _checks(geometry: str, folder: Path, device: str) -> bool:
    from tts_core.cli.bench.gpu_checks import check  # noqa: PLC0415 - torch

    passed = True
    for found in check(folder, device, _CHECK_FRAMES):
        print(f"{geometry}: {'ok' if found.passed else 'FAILED'}: {found.name} ({found.detail})", flush=True)
        passed = passed and found.passed
    return passed


def _table(geometry: str, folder: Path, precision: str, args: argparse.Namespace, services: Services) -> None:
    from tts_core.cli.bench.gpu_checks import device_facts  # noqa: PLC0415 - torch
    from tts_core.engines.qwen.speech_model import QwenModel  # noqa: PLC0415

    model = QwenModel.load(folder, device=args.on, precision=precision)
    bench_serve.wait_until_warm(model)
    settings = {"geometry": geometry, "precision": model.choice.precision, "frames": args.frames, "runs": args.runs}
    for clients in (count for count in _AT_ONCE if count <= model.slots):
        report = bench_serve.serve(model, clients, args.frames, args.runs)
        words = (f"{geometry}: {line}" for line in bench_serve.words(report))
        print_report(
            "gpu-check", {"settings": settings, **device_facts(model.choice.device), **report}, words, services
        )
    model.close()


def _beside_peer(geometry: str, folder: Path, args: argparse.Namespace, services: Services) -> None:
    """Measure the model beside the peer, in turn. Raises PeerMissing, PeerNeedsCuda or MeasurementFailed."""
    settings = replace(services.settings, device=args.on, precision=AUTO)
    peer = PeerChoice(_PEER, args.peer_python, None)
    report = bench_synth.measure(folder, settings, runs=args.runs, frames=args.frames, peer=peer)
    print_report("gpu-check", report, (f"{geometry}: {line}" for line in bench_synth.words(report)), services)
