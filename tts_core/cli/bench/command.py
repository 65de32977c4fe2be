"""`bench`: measurements that users can repeat. Words go to stderr, then one JSON line with every number to stdout."""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from tts_core.cli import progress
from tts_core.cli.bench import (
    download as bench_download,
    load as bench_load,
    model as bench_model,
    peer as bench_peer,
    serve as bench_serve,
    startup as bench_startup,
    synth as bench_synth,
)
from tts_core.cli.bench.report import print_report
from tts_core.cli.bench.speak import measure as bench_speak
from tts_core.cli.status import Exit
from tts_core.domain.values import SynthesisRequest, Take
from tts_core.services import Services
from tts_core.speech.synthesis import collect

SENTENCES = (
    ("en", "The quick brown fox jumps over the lazy dog. It does so every morning, and nobody knows why."),
    ("zh", "今天天气很好，我们一起去公园散步吧。路上可以买两杯咖啡。"),
)


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("bench", parents=[shared], help="measure speech, loading, start-up or downloads")
    subjects = parser.add_subparsers(metavar="SUBJECT", required=True)

    synth = subjects.add_parser("synth", parents=[shared], help="a model: speed, a frame's parts, first sound, memory")
    synth.add_argument("--frames", type=positive, default=60, metavar="N", help="of each take (default 60: 4.8 s)")
    synth.add_argument("--peer", choices=bench_peer.PEERS, help="another engine, on the same weights in the same run")
    synth.add_argument(
        "--peer-python",
        type=Path,
        default=Path(sys.executable),
        metavar="FILE",
        help="python of the environment that it is installed in (default: this one)",
    )
    synth.add_argument(
        "--peer-precision",
        choices=("float32", "bfloat16", "float16"),
        help="of the peer (default: float32 on a CPU, else bfloat16)",
    )
    synth.set_defaults(run=run_synth)

    serve = subjects.add_parser("serve", parents=[shared], help="many at once: first sound, speed of all together")
    serve.add_argument("--clients", type=positive, default=8, metavar="N", help="that ask at once (default 8)")
    serve.add_argument("--frames", type=positive, default=125, metavar="N", help="of each take (default 125: 10 s)")
    serve.set_defaults(run=run_serve)

    load = subjects.add_parser("load", parents=[shared], help="a model: time to load, from the disk and again; memory")
    load.set_defaults(run=run_load)

    for subject in (synth, serve, load):
        bench_model.add_options(subject)

    speak = subjects.add_parser("speak", parents=[shared], help="time to first audio and speed of a voice")
    speak.add_argument(
        "--voice", metavar="ID", help="default: the best that is ready, then the built-in one beside its parts"
    )
    speak.set_defaults(run=run_speak)

    startup = subjects.add_parser("startup", parents=[shared], help="time to the page and memory, beside import gradio")
    startup.set_defaults(run=run_startup)

    download = subjects.add_parser("download", parents=[shared], help="speed of a download, beside the bare link")
    download.add_argument("--size", type=_bytes, default=10**9, metavar="BYTES", help="of the model (default 1GB)")
    download.add_argument(
        "--limit", type=float, default=200.0, metavar="MB_PER_S", help="of the link (default 200; 0: none)"
    )
    download.add_argument("--folder", type=Path, metavar="DIR", help="on the disk to measure (default: temporary)")
    download.set_defaults(run=run_download)

    for subject in (synth, serve, load, speak, startup, download):
        subject.add_argument("--runs", type=positive, default=5, metavar="N", help="repetitions (default 5)")


def run_synth(args: argparse.Namespace, services: Services) -> Exit:
    peer = None
    if args.peer is not None:
        peer = bench_peer.PeerChoice(args.peer, args.peer_python, args.peer_precision)
    folder = bench_model.model_folder(args, services.settings.paths)
    report = bench_synth.measure(folder, services.settings, runs=args.runs, frames=args.frames, peer=peer)
    print_report("synth", report, bench_synth.words(report), services)
    return Exit.DONE


def run_serve(args: argparse.Namespace, services: Services) -> Exit:
    folder = bench_model.model_folder(args, services.settings.paths)
    report = bench_serve.measure(folder, services.settings, clients=args.clients, frames=args.frames, runs=args.runs)
    print_report("serve", report, bench_serve.words(report), services)
    return Exit.DONE


def run_load(args: argparse.Namespace, services: Services) -> Exit:
    folder = bench_model.model_folder(args, services.settings.paths)
    report = bench_load.measure(folder, services.settings, runs=args.runs)
    print_report("load", report, bench_load.words(report), services)
    return Exit.DONE


def run_startup(args: argparse.Namespace, services: Services) -> Exit:
    report = bench_startup.measure(args.runs)
    print_report("startup", report, bench_startup.words(report), services)
    return Exit.DONE


def run_download(args: argparse.Namespace, services: Services) -> Exit:
    report = bench_download.measure(services.settings, args.size, args.limit * 1e6, args.runs, args.folder)
    print_report("download", report, bench_download.words(report), services)
    return Exit.DONE


def run_speak(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.find(name=args.voice)
    report: dict[str, Any] = {"settings": {"runs": args.runs}}
    words = []
    for language, text in SENTENCES:
        takes = []
        for number in range(args.runs):
            progress.show(f"{language}, run {number + 1} of {args.runs}")
            takes.append(_speak(services, SynthesisRequest(text=text, voice=voice, language=language)))
        progress.clear()
        report["settings"]["voice"] = takes[0].voice.id
        report[language] = numbers = _summary(takes)
        words.append(
            f"{takes[0].voice.id} {language}: {numbers['duration_s']:.2f} s of speech, first audio after "
            f"{numbers['first_audio_s'] * 1000:.0f} ms (first run {numbers['cold_first_audio_s'] * 1000:.0f} ms), "
            f"{numbers['rtf']:.0f} times real time"
        )
    if args.voice is None:
        report["beside"] = bench_speak.measure(SENTENCES[0][1], args.runs)
        words += bench_speak.words(report["beside"])
    print_report("speak", report, words, services)
    return Exit.DONE


def _speak(services: Services, request: SynthesisRequest) -> Take:
    take = collect(services.synthesis.speak(request))
    take.path.unlink(missing_ok=True)
    return take


def _summary(takes: list[Take]) -> dict[str, float]:
    """The medians over the runs; the first sound of the first run, which also loads the engine, stands apart."""
    return {
        "duration_s": round(statistics.median(take.duration_s for take in takes), 3),
        "cold_first_audio_s": round(takes[0].first_audio_s, 4),
        "first_audio_s": round(statistics.median(take.first_audio_s for take in takes), 4),
        "rtf": round(statistics.median(take.rtf for take in takes), 2),
    }


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
