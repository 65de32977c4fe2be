"""Command-line options are environment variables that win."""

from __future__ import annotations

import argparse

import pytest

from tts_core.platform.settings.options import DISK_OPTIONS, SERVER_OPTIONS, options_parser, with_options


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    shared = options_parser(*DISK_OPTIONS, *SERVER_OPTIONS)
    parser = argparse.ArgumentParser(parents=[shared])
    commands = parser.add_subparsers()
    commands.add_parser("go", parents=[shared]).add_argument("--own", default="kept out")
    return parser


@pytest.mark.parametrize("arguments", ["--data-dir /a go", "go --data-dir /a", "--data-dir /b go --data-dir /a"])
def test_an_option_counts_before_and_after_the_command(parser: argparse.ArgumentParser, arguments: str) -> None:
    environ = with_options({"TTS_STUDIO_DATA_DIR": "/env"}, parser.parse_args(arguments.split()))
    assert environ == {"TTS_STUDIO_DATA_DIR": "/a"}


def test_the_environment_stands_where_no_option_is_given(parser: argparse.ArgumentParser) -> None:
    environ = {"TTS_STUDIO_PORT": "8000", "OTHER": "1"}
    assert with_options(environ, parser.parse_args(["go"])) == environ
