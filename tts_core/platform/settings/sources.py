"""The settings of models' sources and downloads. Part of Settings, which is built from the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from tts_core.platform.faults import InvalidEndpoint, InvalidSetting
from tts_core.platform.settings.environ import Environ

HF_ENDPOINT = "https://huggingface.co"
MIRROR_ENDPOINT = "https://hf-mirror.com"
MODELSCOPE_ENDPOINT = "https://modelscope.cn"
SOURCE_IDS = ("hf", "mirror", "modelscope")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    hf_endpoint: str = HF_ENDPOINT
    mirror_endpoint: str = MIRROR_ENDPOINT
    modelscope_endpoint: str = MODELSCOPE_ENDPOINT
    mirror_first: bool = False
    """Whether the mirror comes first in `auto` (USE_HF_MIRROR)."""
    order: tuple[str, ...] = ()
    """The user's order for `auto`, of SOURCE_IDS; () orders by a probe."""
    offline: bool = False
    resume_at_start: bool = False
    """Whether downloads that ran when the app ended go on by themselves; else they are paused."""
    hf_caches: tuple[Path, ...] = ()
    """The folders with `models--owner--name` folders, most specific first."""
    modelscope_caches: tuple[Path, ...] = ()
    model_folders: tuple[Path, ...] = ()
    """Other places with model folders: TTS_HOME, and those of TTS_STUDIO_MODEL_FOLDERS."""
    problems: tuple[InvalidSetting, ...] = field(default=(), compare=False)
    """The variables that can't be used. They stop downloads, and nothing else: a model on the disk needs no source."""

    @classmethod
    def from_env(cls, environ: Environ) -> SourceSettings:
        """Read the variables of sources. What can't be used is among `problems`, and stands as if it was not set.

        Variables: HF_ENDPOINT, HF_MIRROR_ENDPOINT, USE_HF_MIRROR, MODELSCOPE_ENDPOINT, TTS_STUDIO_SOURCES (comma-
        separated order), TTS_STUDIO_RESUME_DOWNLOADS, HF_HUB_OFFLINE; where copies may lie: HF_HUB_CACHE,
        HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, MODELSCOPE_CACHE, MS_CACHE_HOME, TTS_HOME,
        TTS_STUDIO_MODEL_FOLDERS (separated as PATH is).
        """
        problems: list[InvalidSetting] = []

        def endpoint(name: str, default: str) -> str:
            return usable_or(default, lambda: _endpoint(environ, name, default), problems)

        return cls(
            hf_endpoint=endpoint("HF_ENDPOINT", HF_ENDPOINT),
            mirror_endpoint=endpoint("HF_MIRROR_ENDPOINT", MIRROR_ENDPOINT),
            modelscope_endpoint=endpoint("MODELSCOPE_ENDPOINT", MODELSCOPE_ENDPOINT),
            mirror_first=environ.flag("USE_HF_MIRROR"),
            order=usable_or((), lambda: _order(environ, "TTS_STUDIO_SOURCES"), problems),
            offline=environ.flag("HF_HUB_OFFLINE"),
            resume_at_start=environ.flag("TTS_STUDIO_RESUME_DOWNLOADS"),
            hf_caches=_hf_caches(environ),
            modelscope_caches=_modelscope_caches(environ),
            model_folders=(*environ.paths("TTS_HOME"), *environ.paths("TTS_STUDIO_MODEL_FOLDERS")),
            problems=tuple(problems),
        )

    def check(self) -> None:
        """Raises InvalidSetting where a variable of sources can't be used: to be called before any source is asked."""
        for problem in self.problems:
            raise type(problem)(**problem.params)


def usable_or(default: Value, read: Callable[[], Value], problems: list[InvalidSetting]) -> Value:
    """The value that `read` finds; `default` where it raises InvalidSetting, which is then among `problems`."""
    try:
        return read()
    except InvalidSetting as problem:
        problems.append(problem)
        return default


def checked_endpoint(name: str, value: str) -> str:
    """The address as scheme, host and perhaps a path, without a slash at the end. Raises InvalidEndpoint.

    Plain http is allowed to this machine only: nobody in between may change downloads or see who makes them.
    """
    value = value.strip()
    if value and "://" not in value:
        value = f"https://{value}"
    if not _is_safe(value):
        raise InvalidEndpoint(name=name, value=value)
    return value.rstrip("/")


def _is_safe(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:  # half an IPv6 bracket, an impossible port
        return False
    is_private = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    is_plain = not (parts.username or parts.query or parts.fragment)
    return bool(is_private and host and is_plain) and address.isprintable() and " " not in address


def _endpoint(environ: Environ, name: str, default: str) -> str:
    value = environ.text(name)
    return checked_endpoint(name, value) if value else default


def _order(environ: Environ, name: str) -> tuple[str, ...]:
    names = tuple(part.lower() for part in environ.names(name))
    if any(part not in SOURCE_IDS for part in names) or len(set(names)) < len(names):
        raise InvalidSetting(name=name, value=",".join(names), expected=f"an order of {', '.join(SOURCE_IDS)}")
    return names


def _hf_caches(environ: Environ) -> tuple[Path, ...]:
    """Hugging Face's caches in huggingface_hub's order: the named ones, those below the homes, the default one."""
    homes = [
        *environ.paths("HF_HOME"),
        *(path / "huggingface" for path in environ.paths("XDG_CACHE_HOME")),
        Path.home() / ".cache" / "huggingface",
    ]
    named = [*environ.paths("HF_HUB_CACHE"), *environ.paths("HUGGINGFACE_HUB_CACHE")]
    return tuple(dict.fromkeys([*named, *(home / "hub" for home in homes)]))


def _modelscope_caches(environ: Environ) -> tuple[Path, ...]:
    named = [*environ.paths("MODELSCOPE_CACHE"), *environ.paths("MS_CACHE_HOME")]
    return tuple(dict.fromkeys([*named, Path.home() / ".cache" / "modelscope"]))
