"""Reads the JSON files of a checkpoint; every complaint names the file and the key. Knows nothing of their meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from tts_core.engines.faults import ModelConfigInvalid, ModelFileMissing

_MAX_JSON_BYTES = 64_000_000
"""Most bytes that are read of a file; a vocabulary has 3 MB."""
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Section:
    """A JSON object and where it stands, so that a complaint can name file and key."""

    data: Mapping[str, object]
    file: Path
    path: str = ""

    def section(self, key: str) -> Section:
        return Section(self._value(key, dict), self.file, f"{self.path}{key}.")

    def text(self, key: str) -> str:
        return self._value(key, str)

    def integer(self, key: str) -> int:
        value = self._value(key, int)
        if isinstance(value, bool):
            raise self.invalid(key, "must be a whole number")
        return value

    def number(self, key: str) -> float:
        value = self._value(key, (int, float))
        if isinstance(value, bool):
            raise self.invalid(key, "must be a number")
        return float(value)

    def flag(self, key: str) -> bool:
        return self._value(key, bool)

    def integers(self, key: str) -> tuple[int, ...]:
        values = self._value(key, list)
        if not all(type(value) is int for value in values):
            raise self.invalid(key, "must be a list of whole numbers")
        return tuple(values)

    def integer_table(self, key: str) -> Mapping[str, int]:
        return MappingProxyType(self.section(key).as_integer_table())

    def as_integer_table(self) -> dict[str, int]:
        """The whole object, which must map names to whole numbers."""
        table = {name: value for name, value in self.data.items() if type(value) is int}
        if len(table) < len(self.data):
            raise ModelConfigInvalid(file=str(self.file), reason=f"{self.path or 'it'} must map names to whole numbers")
        return table

    def require(self, key: str, expected: object) -> None:
        """Complain unless the value is the only one this engine knows."""
        if self._value(key, object) != expected:
            raise self.invalid(key, f"is {self.data[key]!r}, only {expected!r} is supported")

    def invalid(self, key: str, complaint: str) -> ModelConfigInvalid:
        return ModelConfigInvalid(file=str(self.file), reason=f"{self.path}{key} {complaint}")

    def _value(self, key: str, kind: type[_Value] | tuple[type[_Value], ...]) -> _Value:
        if key not in self.data:
            raise self.invalid(key, "is missing")
        value = self.data[key]
        if not isinstance(value, kind):
            raise self.invalid(key, f"can't be {value!r}"[:200])
        return value


def read_json(file: Path) -> Section:
    """The JSON object in a file of a model's folder."""
    try:
        with file.open("rb") as stream:
            data = json.loads(stream.read(_MAX_JSON_BYTES))
    except FileNotFoundError as error:
        raise ModelFileMissing(file=str(file)) from error
    except OSError as error:
        raise ModelConfigInvalid(file=str(file), reason=f"it can't be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ModelConfigInvalid(file=str(file), reason="it is no JSON") from error
    if not isinstance(data, dict):
        raise ModelConfigInvalid(file=str(file), reason="it holds no JSON object")
    return Section(data, file)
