"""Command-line options of every entry point; they stand for environment variables, so settings are read one way."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tts_core.platform.settings.compute import PRECISION_VARIABLE, THREADS_VARIABLE
from tts_core.platform.settings.projects import (
    CHARS_VARIABLE,
    PROJECTS_VARIABLE,
    RESUME_VARIABLE,
    SEGMENTS_VARIABLE,
    TAKES_VARIABLE,
)
from tts_core.platform.settings.server import (
    CERT_FLAG,
    CERT_VARIABLE,
    CERTIFICATE_VARIABLE,
    HELPER_VARIABLE,
    KEY_FLAG,
    KEY_VARIABLE,
    PASSWORD_FLAG,
    PASSWORD_VARIABLE,
    ROOT_FLAG,
    ROOT_VARIABLE,
    SERVER_VARIABLE,
    TRUSTED_FLAG,
    TRUSTED_VARIABLE,
    allowed_origins,
)
from tts_core.platform.settings.studio import AUTH_VARIABLE, Settings, allowed_hosts
from tts_core.platform.settings.yourtts import MODEL_DIR_VARIABLE


@dataclass(frozen=True, slots=True)
class Option:
    flag: str
    variable: str
    """The environment variable that the option overrides."""
    metavar: str
    help: str


DISK_OPTIONS = (
    Option("--data-dir", "TTS_STUDIO_DATA_DIR", "DIR", "where takes, caches and logs are kept"),
    Option("--models-dir", "QWEN_TTS_MODELS_DIR", "DIR", "where the model folders lie"),
    Option("--catalog", "TTS_STUDIO_CATALOG", "FILE", "JSON file that adds or overrides models"),
)
MODEL_OPTIONS = (
    Option("--device", "TTS_STUDIO_DEVICE", "D", "auto, cpu, cuda, cuda:1, mps: where models compute"),
    Option(
        "--precision",
        PRECISION_VARIABLE,
        "P",
        "auto, float32, bfloat16, float16; on a CPU also int8 (three times as fast) and int4 (fastest, but voices may "
        "sound worse)",
    ),
    Option("--threads", THREADS_VARIABLE, "N", "that compute on a CPU (default: one a core, at most 8)"),
    Option("--keep-alive", "TTS_STUDIO_KEEP_ALIVE", "T", 'how long an idle model stays: "5m", 0 or -1 (for ever)'),
)
SERVER_OPTIONS = (
    Option("--host", "TTS_STUDIO_HOST", "H", "address to listen on (default 127.0.0.1: this machine only)"),
    Option("--port", "TTS_STUDIO_PORT", "N", "default: the first free one from 7860 on"),
    Option("--share-server", SERVER_VARIABLE, "HOST:PORT", "--share through this share server instead of Gradio's"),
    Option("--share-helper", HELPER_VARIABLE, "FILE", "--share with this helper program (frpc, as Gradio builds it)"),
    Option("--share-certificate", CERTIFICATE_VARIABLE, "FILE", "checks the own share server's TLS (PEM)"),
    Option(CERT_FLAG, CERT_VARIABLE, "FILE", "serve https with this certificate (PEM)"),
    Option(KEY_FLAG, KEY_VARIABLE, "FILE", "the certificate's key (PEM); default: it is in the same file"),
    Option(PASSWORD_FLAG, PASSWORD_VARIABLE, "P", "of the key; the variable keeps it out of the list of processes"),
    Option(ROOT_FLAG, ROOT_VARIABLE, "PATH", "the path below which a reverse proxy shows it, such as /tts"),
    Option(TRUSTED_FLAG, TRUSTED_VARIABLE, "A,B", "proxies whose X-Forwarded headers count (default: this machine's)"),
)
PROJECT_OPTIONS = (
    Option("--max-projects", PROJECTS_VARIABLE, "N", "projects of long texts that are kept (default 200)"),
    Option("--max-segments", SEGMENTS_VARIABLE, "N", "segments of one project (default 20000)"),
    Option("--max-project-chars", CHARS_VARIABLE, "N", "characters of one project (default 2000000)"),
    Option("--kept-takes", TAKES_VARIABLE, "N", "takes of a segment that are kept (default 8)"),
    Option("--resume-projects", RESUME_VARIABLE, "HOW", "ask (default), auto or off: go on with what was being made"),
)
YOURTTS_OPTIONS = (
    Option("--model-dir", MODEL_DIR_VARIABLE, "DIR", "the folder of YourTTS's model, where it lies somewhere else"),
)


def options_parser(*options: Option) -> argparse.ArgumentParser:
    """A parent parser; given to a parser and to its commands, the options work before and after a command's name."""
    parser = argparse.ArgumentParser(add_help=False)
    for option in options:
        parser.add_argument(
            option.flag, dest=option.variable, metavar=option.metavar, default=argparse.SUPPRESS, help=option.help
        )
    return parser


def add_login_options(parser: argparse.ArgumentParser) -> None:
    login = parser.add_mutually_exclusive_group()
    for flag, value, about in (
        ("--auth", "on", "people log in"),
        ("--no-auth", "off", "nobody logs in, wherever it listens: whoever reaches it may do everything"),
    ):
        login.add_argument(
            flag, dest=AUTH_VARIABLE, action="store_const", const=value, default=argparse.SUPPRESS, help=about
        )


def add_admission_options(parser: argparse.ArgumentParser) -> None:
    """Options that can be given several times, and add to what the environment names."""
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="serve this host name too")
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin, such as http://localhost:3000, use REST, /v1 and /ws from a browser",
    )


def with_admitted(settings: Settings, args: argparse.Namespace) -> Settings:
    """The settings with the hosts and origins of `add_admission_options`. Raises InvalidSetting."""
    return replace(
        settings,
        allowed_hosts=allowed_hosts(settings.host, [*settings.allowed_hosts, *args.allow_host]),
        allowed_origins=allowed_origins([*settings.allowed_origins, *args.allow_origin]),
    )


def with_options(environ: Mapping[str, str], args: argparse.Namespace) -> dict[str, str]:
    """`environ` with the given options as if they had been set there."""
    options = (*DISK_OPTIONS, *MODEL_OPTIONS, *SERVER_OPTIONS, *PROJECT_OPTIONS, *YOURTTS_OPTIONS)
    variables = {AUTH_VARIABLE, *(option.variable for option in options)}
    return {**environ, **{name: value for name, value in vars(args).items() if name in variables}}
