"""Parses the command line, runs one command and turns errors into one line and an exit status."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence

import tts_core
from tts_core.cli import codec, doctor, download, install_yourtts, models, similarity, speak, transcribe, users
from tts_core.cli.bench import checkpoint, command as bench, gpu_check
from tts_core.cli.projects import command as projects, read
from tts_core.cli.serve import (
    all as serve_all,
    embedding as serve_embedding,
    wyoming as serve_wyoming,
    yourtts as serve_yourtts,
)
from tts_core.cli.status import Exit
from tts_core.cli.texts import lexicon
from tts_core.cli.voices import command as voices
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.platform.logs import setup_logging
from tts_core.platform.settings.options import DISK_OPTIONS, MODEL_OPTIONS, options_parser, with_options
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

COMMANDS = (
    *(speak, read, projects, lexicon, transcribe, voices, similarity, models, download, codec, doctor, users),
    *(serve_all, serve_embedding, serve_wyoming),
    *(install_yourtts, serve_yourtts),
    *(bench, checkpoint, gpu_check),
)

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> Exit:
    """Run `python -m tts_core <argv>`; returns the exit status."""
    _survive_narrow_consoles()
    # Threads of torch that wait for work would else keep the processor busy; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except Cancelled as stopped:
        return _complain(stopped, Exit.STOPPED)
    except StudioError as error:
        if "report_failure" in args:
            args.report_failure(args, error)
        return _complain(error, Exit.ERROR)
    except KeyboardInterrupt:
        return _complain(Cancelled(), Exit.STOPPED)
    except BrokenPipeError:  # `… | head` has what it wants; Python would complain once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit(args.without_reader) if "without_reader" in args else Exit.DONE
    except Exception:
        logger.exception("Command failed")
        return _complain(StudioError(), Exit.BUG)


def _run(args: argparse.Namespace) -> Exit:
    settings = Settings.from_env(with_options(os.environ, args))
    settings.network.apply(os.environ)
    setup_logging(settings.paths.log_file, console=False)
    services = build_services(settings)
    try:
        return Exit(args.run(args, services))
    finally:
        services.close()


def _parser() -> argparse.ArgumentParser:
    shared = options_parser(*DISK_OPTIONS, *MODEL_OPTIONS)
    parser = argparse.ArgumentParser(
        prog="python -m tts_core", description="TTS Studio on the command line.", parents=[shared]
    )
    parser.add_argument("--version", action="version", version=f"TTS Studio {tts_core.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands, shared)
    return parser


def _complain(error: StudioError, status: Exit) -> Exit:
    print(f"{error.message} [{error.code}]", file=sys.stderr)
    return status


def _survive_narrow_consoles() -> None:
    """Let a console show a stand-in for a character that it can't show, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
