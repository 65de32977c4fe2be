"""The document's values as JSON and back. A field with its usual value is left out, an unknown one passed over."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin

from tts_core.domain.errors import StudioError

Value = TypeVar("Value")
Decoder = Callable[[Any], Any]


def to_data(value: object) -> Any:
    """The value as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, (tuple, list)):
        return [to_data(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data = {}
        for name, usual in _usual(type(value)):
            found = getattr(value, name)
            if found is not usual and found != usual:
                data[name] = to_data(found)
        return data
    return value


def from_data(kind: type[Value], data: object) -> Value:
    """The value of that kind. Raises ValueError where the data can't be one."""
    try:
        found: Value = _decoder_of(kind)(data)
    except (TypeError, KeyError, AttributeError, StudioError) as error:  # a value may check its own ranges
        raise ValueError(f"no {kind.__name__}") from error
    return found


@cache
def _usual(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    """The names of a dataclass's fields with their usual values, MISSING for one that has none."""
    return tuple(
        (item.name, item.default if item.default_factory is dataclasses.MISSING else item.default_factory())
        for item in dataclasses.fields(kind)
    )


def _decoder_of(kind: Any) -> Decoder:
    return _decoder(kind)


@cache
def _decoder(kind: Any) -> Decoder:
    if get_origin(kind) in (Union, types.UnionType):
        return _optional([_decoder(one) for one in get_args(kind) if one is not type(None)])
    if get_origin(kind) is tuple:
        return _list_of(_decoder(get_args(kind)[0]))
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return _object_of(kind, {item.name: _decoder(hints[item.name]) for item in dataclasses.fields(kind)})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _plain(get_origin(kind) or kind)


def _optional(decoders: list[Decoder]) -> Decoder:
    decode = decoders[0]
    return lambda data: None if data is None else decode(data)


def _list_of(decode: Decoder) -> Decoder:
    def decoded(data: Any) -> Any:
        if not isinstance(data, list):
            raise TypeError
        return tuple(map(decode, data))

    return decoded


def _object_of(kind: Any, decoders: Mapping[str, Decoder]) -> Decoder:
    def decoded(data: Any) -> Any:
        return kind(**{name: decoders[name](value) for name, value in data.items() if name in decoders})

    return decoded


def _plain(kind: type[Any]) -> Decoder:
    accepted = (int, float) if kind is float else (kind,)

    def decoded(data: Any) -> Any:
        if not isinstance(data, accepted) or (isinstance(data, bool) and kind is not bool):
            raise TypeError
        return data

    return decoded
