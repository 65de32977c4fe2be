"""Readers of single environment variables. A blank value counts as not set; InvalidSetting names the variable."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tts_core.platform.faults import InvalidSetting

_TRUE = ("1", "true", "yes", "on")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?)(ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_BYTES = {"": 1, "B": 1, "MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([A-Z]*)")
MAX_PORT = 65_535
MAX_COUNT = 999_999_999


class Environ:
    """The variables of one environment, each read as the type it is meant to have."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str = "") -> str:
        """The value without blanks around it."""
        return self._variables.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        """The value exactly as it is set; blanks may be part of a password."""
        return self._variables.get(name, "")

    def flag(self, name: str) -> bool:
        """Whether the variable says yes ("1", "true", "yes" or "on"); any other value is no."""
        return self.text(name).lower() in _TRUE

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """The choice that the variable names in any case; the first one where it is not set."""
        value = self.text(name).lower() or choices[0]
        if value not in choices:
            raise InvalidSetting(name=name, value=value, expected=f"{', '.join(choices[:-1])} or {choices[-1]}")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """The parts of the value between commas, empty ones left out."""
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def path(self, name: str) -> Path | None:
        """The value as an absolute path, which need not exist; None where it is not set."""
        value = self.text(name)
        return Path(value).expanduser().absolute() if value else None

    def file(self, name: str) -> Path | None:
        """The absolute path of an existing file; None where it is not set."""
        path = self.path(name)
        if path is not None and not path.is_file():
            raise InvalidSetting(name=name, value=self.text(name), expected="a file")
        return path

    def paths(self, name: str) -> tuple[Path, ...]:
        """The value as absolute paths, separated as in PATH."""
        parts = self.text(name).split(os.pathsep)
        return tuple(Path(part.strip()).expanduser().absolute() for part in parts if part.strip())

    def port(self, name: str) -> int | None:
        value = self.text(name)
        if not value:
            return None
        if not value.isdecimal() or not 1 <= int(value[:6]) <= MAX_PORT:
            raise InvalidSetting(name=name, value=value, expected=f"a port number from 1 to {MAX_PORT}")
        return int(value)

    def count(self, name: str, default: int) -> int:
        """A whole number from 1 on."""
        value = self.text(name)
        if not value:
            return default
        if not value.isdecimal() or not 1 <= int(value[:10]) <= MAX_COUNT:
            raise InvalidSetting(name=name, value=value, expected=f"a number from 1 to {MAX_COUNT}")
        return int(value)

    def seconds(self, name: str, default: float) -> float | None:
        """A duration in Ollama's notation: "5m", "1h30m", plain seconds, "0"; a negative one means for ever (None)."""
        value = self.text(name)
        if not value:
            return default
        amount = value.removeprefix("-")
        if re.fullmatch(r"\d+(\.\d+)?", amount):
            seconds = float(amount)
        elif _DURATION.fullmatch(amount):
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(amount))
        else:
            expected = 'a duration such as "5m", "0" (not kept) or "-1" (for ever)'
            raise InvalidSetting(name=name, value=value, expected=expected)
        return None if value.startswith("-") else seconds

    def size(self, name: str) -> int | None:
        """A number of bytes, written as "8GB", "512 MiB" or a plain number; None where it is not set."""
        value = self.text(name)
        if not value:
            return None
        match = _SIZE.fullmatch(value.upper())
        if match is None or match[2] not in _BYTES:
            raise InvalidSetting(name=name, value=value, expected='an amount of memory such as "8GB"')
        return int(float(match[1]) * _BYTES[match[2]])
