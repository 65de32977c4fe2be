"""`similarity`: whether two recordings are of one speaker."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tts_core.audio.reading import read_recording
from tts_core.cli.status import Exit
from tts_core.engines.qwen.speaker_embedding import OTHER_BELOW, SAME_FROM
from tts_core.services import Services

VERDICTS = {True: "likely the same speaker", False: "likely another speaker", None: "it can't be told"}


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("similarity", parents=[shared], help="how alike the speakers of two recordings sound")
    parser.add_argument("first", type=Path, metavar="FILE", help="WAV, FLAC, MP3, OGG, M4A or WebM, up to a minute")
    parser.add_argument("second", type=Path, metavar="FILE")
    parser.add_argument("--model", default="", metavar="KEY", help="a Base model, default the smallest that is ready")
    parser.add_argument("--json", action="store_true", help="print it for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    services.embedder.choose(args.model)  # cheap, so before the decoding
    one, other = read_recording(args.first), read_recording(args.second)
    found = services.embedder.compare(one, other, args.model)
    if args.json:
        facts = {"similarity": found.cosine, "same_speaker": found.same_speaker, "model_key": found.model_key}
        print(json.dumps(facts))
    else:
        print(f"{found.cosine:.3f}  {VERDICTS[found.same_speaker]}")
        print(
            f"From {SAME_FROM} on the same, below {OTHER_BELOW} another one: rules of thumb, not measured error rates."
        )
    return Exit.DONE
