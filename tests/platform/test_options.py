"""Command-line options are environment variables that win."""

from __future__ import annotations

import argparse

import pytest

from tts_core.cli.serve import all as serve_all, embedding, studio, yourtts
from tts_core.platform.settings.options import (
    DISK_OPTIONS,
    SERVER_OPTIONS,
    options_parser,
    with_admitted,
    with_options,
)
from tts_core.platform.settings.studio import Settings


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


def test_every_server_lets_named_hosts_and_origins_in() -> None:
    environ = {"TTS_STUDIO_ALLOWED_ORIGINS": "app://obsidian.md", "TTS_STUDIO_ALLOWED_HOSTS": "a.example"}
    said = [
        "--allow-origin",
        "http://localhost:3000",
        "--allow-origin",
        "HTTPS://chat.example/",
        "--allow-host",
        "b.example",
    ]
    commands = argparse.ArgumentParser().add_subparsers()
    for server in (serve_all, yourtts, embedding):
        server.add_parser(commands, options_parser())
    all_args = [commands.choices[name].parse_args(said) for name in commands.choices]
    for args in (studio.parse_arguments(said), *all_args):
        settings = with_admitted(Settings.from_env(environ), args)
        assert settings.allowed_origins == ("app://obsidian.md", "http://localhost:3000", "https://chat.example")
        assert {"127.0.0.1", "a.example", "b.example"} <= {*settings.allowed_hosts}
