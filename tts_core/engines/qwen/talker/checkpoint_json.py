"""Reads the JSON files of a checkpoint; every complaint names the file and the key. Knows nothing of their meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard, TypeVar

from tts_core.engines.faults import ModelConfigInvalid, ModelFileMissing

MAX_CONFIG_BYTES = 1_000_000
"""Most bytes that are read of a config; the published ones have 5 kB."""
MAX_VOCABULARY_BYTES = 32_000_000
"""Most bytes that are read of a vocabulary; the published one has 3 MB, with its merges 11 MB."""
_MAX_NUMBER = 2**31 - 1
_MAX_LISTED = 64
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Section:
    """A JSON object and where it stands, so that a complaint can name file and key."""

    data: Mapping[str, object]
    file: Path
    path: str = ""

    def section(self, key: str, *, optional: bool = False) -> Section:
        """The object at `key`; an empty one where it is `optional` and missing or null."""
        if optional and self.data.get(key) is None:
            return Section({}, self.file, f"{self.path}{key}.")
        return Section(self._value(key, dict), self.file, f"{self.path}{key}.")

    def text(self, key: str, default: str | None = None) -> str:
        return self._value(key, str, default)

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._value(key, int, default)
        if not _is_count(value):
            raise self.invalid(key, f"must be a whole number from 0 to {_MAX_NUMBER}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self._value(key, (int, float), default)
        if isinstance(value, bool) or not abs(value) <= _MAX_NUMBER:  # no NaN and no infinity either
            raise self.invalid(key, "must be a number of bearable size")
        return float(value)

    def flag(self, key: str) -> bool:
        return self._value(key, bool)

    def integers(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        values = self._value(key, list, None if default is None else list(default))
        if len(values) > _MAX_LISTED or not all(map(_is_count, values)):
            raise self.invalid(key, "must be a short list of whole numbers")
        return tuple(values)

    def integer_table(self, key: str) -> Mapping[str, int]:
        """The object at `key` as names to whole numbers; empty where it is missing or null."""
        return MappingProxyType(self.section(key, optional=True).as_integer_table())

    def as_integer_table(self) -> dict[str, int]:
        """The whole object, which must map names to whole numbers."""
        table = {name: value for name, value in self.data.items() if _is_count(value)}
        if len(table) < len(self.data):
            raise ModelConfigInvalid(file=str(self.file), reason=f"{self.path or 'it'} must map names to whole numbers")
        return table

    def require(self, key: str, expected: object) -> None:
        """Complain unless the value is the only one this engine knows, also the published package's default."""
        if self.data.get(key, expected) != expected:
            raise self.invalid(key, f"is {self.data[key]!r}, only {expected!r} is supported"[:200])

    def invalid(self, key: str, complaint: str) -> ModelConfigInvalid:
        return ModelConfigInvalid(file=str(self.file), reason=f"{self.path}{key} {complaint}")

    def _value(self, key: str, kind: type[_Value] | tuple[type[_Value], ...], default: _Value | None = None) -> _Value:
        if key not in self.data:
            if default is not None:
                return default
            raise self.invalid(key, "is missing")
        value = self.data[key]
        if not isinstance(value, kind):
            raise self.invalid(key, f"can't be {value!r}"[:200])
        return value


def read_json(file: Path, *, most_bytes: int = MAX_CONFIG_BYTES) -> Section:
    """The JSON object in a file of a model's folder, of `most_bytes` at most."""
    try:
        with file.open("rb") as stream:
            text = stream.read(most_bytes + 1)
        if len(text) > most_bytes:
            raise ModelConfigInvalid(file=str(file), reason=f"it has more than {most_bytes} bytes")
        data = json.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except FileNotFoundError as error:
        raise ModelFileMissing(file=str(file)) from error
    except OSError as error:
        raise ModelConfigInvalid(file=str(file), reason=f"it can't be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ModelConfigInvalid(file=str(file), reason="it is no JSON") from error
    if not isinstance(data, dict):
        raise ModelConfigInvalid(file=str(file), reason="it holds no JSON object")
    return Section(data, file)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MAX_NUMBER
