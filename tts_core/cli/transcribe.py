"""`transcribe`: what is said in a recording, as text, JSON or subtitles."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tts_core.cli import progress
from tts_core.cli.check import show_listening
from tts_core.cli.status import Exit
from tts_core.engines.whisper.transcript import as_srt
from tts_core.services import Services


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("transcribe", parents=[shared], help="transcribe a recording")
    parser.add_argument("file", type=Path, metavar="FILE", help="WAV, FLAC, MP3, OGG, M4A or WebM, up to half an hour")
    parser.add_argument("--model", default="", metavar="KEY", help="a Whisper model, default the best that is ready")
    parser.add_argument("--language", default="auto", metavar="L", help="name or code, default: find it out")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print text, language and phrases with their times")
    form.add_argument("--srt", action="store_true", help="print subtitles")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    try:
        transcript = services.transcriber.transcribe(
            args.file, language=args.language, model_key=args.model, say=show_listening
        )
    finally:
        progress.clear()
    if args.json:
        print(json.dumps(transcript.as_json(), ensure_ascii=False))
    else:
        print(as_srt(transcript) if args.srt else transcript.text, end="" if args.srt else "\n")
    return Exit.DONE
