"""`bench`: measurements anybody can repeat. Words first, then one JSON line with every number."""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
from pathlib import Path
from typing import Any

import tts_core
from tts_core.cli import bench_download, bench_qwen, bench_serve, bench_startup, progress
from tts_core.cli.status import Exit
from tts_core.domain import SynthesisRequest, Take
from tts_core.services import Services
from tts_core.synthesis import collect

SENTENCES = (
    ("en", "The quick brown fox jumps over the lazy dog. It does so every morning, and nobody knows why."),
    ("zh", "今天天气很好，我们一起去公园散步吧。路上可以买两杯咖啡。"),
)


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("bench", parents=[shared], help="measure start-up, speech or downloads")
    subjects = parser.add_subparsers(metavar="SUBJECT", required=True)

    startup = subjects.add_parser("startup", parents=[shared], help="time to the page and memory, beside import gradio")
    startup.set_defaults(run=run_startup)

    speak = subjects.add_parser("speak", parents=[shared], help="time to first audio and speed of a voice")
    speak.add_argument("--voice", metavar="ID", help="default: the best that is ready")
    speak.set_defaults(run=run_speak)

    qwen = subjects.add_parser("qwen", parents=[shared], help="load time, memory and speed of a Qwen3-TTS model")
    qwen.add_argument("--model-dir", type=Path, required=True, metavar="DIR", help="the model's folder")
    qwen.add_argument("--frames", type=positive, default=50, metavar="N", help="of each take (default 50: 4 s)")
    qwen.set_defaults(run=run_qwen)

    serve = subjects.add_parser("serve", parents=[shared], help="many at once: first sound, speed of all together")
    serve.add_argument("--model-dir", type=Path, required=True, metavar="DIR", help="the model's folder")
    serve.add_argument("--clients", type=positive, default=8, metavar="N", help="that ask at once (default 8)")
    serve.add_argument("--frames", type=positive, default=125, metavar="N", help="of each take (default 125: 10 s)")
    serve.set_defaults(run=run_serve)

    download = subjects.add_parser("download", parents=[shared], help="speed of a download, beside the bare link")
    download.add_argument("--size", type=_bytes, default=10**9, metavar="BYTES", help="of the model (default 1GB)")
    download.add_argument(
        "--limit", type=float, default=200.0, metavar="MB_PER_S", help="of the link (default 200; 0: none)"
    )
    download.add_argument("--folder", type=Path, metavar="DIR", help="on the disk to measure (default: temporary)")
    download.set_defaults(run=run_download)

    for subject in (startup, speak, qwen, serve, download):
        subject.add_argument("--runs", type=positive, default=5, metavar="N", help="repetitions (default 5)")


def run_startup(args: argparse.Namespace, _services: Services) -> Exit:
    report = bench_startup.measure(args.runs)
    for line in bench_startup.words(report):
        print(line)
    print_json({"bench": "startup", **report})
    return Exit.DONE


def run_qwen(args: argparse.Namespace, services: Services) -> Exit:
    report = bench_qwen.measure(args.model_dir, services.settings, runs=args.runs, frames=args.frames)
    for line in bench_qwen.words(report):
        print(line)
    print_json({"bench": "qwen", **report})
    return Exit.DONE


def run_serve(args: argparse.Namespace, services: Services) -> Exit:
    report = bench_serve.measure(
        args.model_dir, services.settings, clients=args.clients, frames=args.frames, runs=args.runs
    )
    for line in bench_serve.words(report):
        print(line)
    print_json({"bench": "serve", **report})
    return Exit.DONE


def run_download(args: argparse.Namespace, services: Services) -> Exit:
    report = bench_download.measure(services.settings, args.size, args.limit * 1e6, args.runs, args.folder)
    for line in bench_download.words(report):
        print(line)
    print_json({"bench": "download", **report})
    return Exit.DONE


def run_speak(args: argparse.Namespace, services: Services) -> Exit:
    report: dict[str, Any] = {"bench": "speak", "runs": args.runs}
    for language, text in SENTENCES:
        takes = []
        for number in range(args.runs):
            progress.show(f"{language}, run {number + 1} of {args.runs}")
            takes.append(_speak(services, SynthesisRequest(text=text, voice=args.voice, language=language)))
        progress.clear()
        report["voice"] = takes[0].voice.id
        report[language] = numbers = _summary(takes)
        print(
            f"{takes[0].voice.id} {language}: {numbers['duration_s']:.2f} s of speech, first audio after "
            f"{numbers['first_audio_s'] * 1000:.0f} ms (first run {numbers['cold_first_audio_s'] * 1000:.0f} ms), "
            f"{numbers['rtf']:.0f} times real time"
        )
    print_json(report)
    return Exit.DONE


def _speak(services: Services, request: SynthesisRequest) -> Take:
    take = collect(services.synthesis.speak(request))
    take.path.unlink(missing_ok=True)
    return take


def _summary(takes: list[Take]) -> dict[str, float]:
    """Medians over the runs; the first run, which also loads the engine, apart."""
    return {
        "duration_s": round(statistics.median(take.duration_s for take in takes), 3),
        "cold_first_audio_s": round(takes[0].first_audio_s, 4),
        "first_audio_s": round(statistics.median(take.first_audio_s for take in takes), 4),
        "rtf": round(statistics.median(take.rtf for take in takes), 2),
    }


def print_json(report: dict[str, Any]) -> None:
    machine = {"version": tts_core.__version__, "python": platform.python_version(), "system": platform.platform()}
    print(json.dumps({**report, **machine}))


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *(|k|M|G)B?", text)
    if match is None:
        raise argparse.ArgumentTypeError("a number of bytes such as 500MB or 1GB")
    return int(float(match[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[match[2]])
