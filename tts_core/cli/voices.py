"""`voices`: who can speak now, best first."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from tts_core.cli.status import Exit
from tts_core.services import Services


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("voices", parents=[shared], help="list the voices that can speak now")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    voices = services.synthesis.voices()
    if args.json:
        print(json.dumps([asdict(voice) for voice in voices], ensure_ascii=False))
        return Exit.DONE
    width = max((len(voice.id) for voice in voices), default=0)
    for voice in voices:
        print(f"{voice.id:<{width}}  {voice.name}: {voice.description}")
    return Exit.DONE
