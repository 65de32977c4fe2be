"""A list of jobs in a file, so that it outlives the app."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from tts_core.platform.whole_files import write_json

logger = logging.getLogger(__name__)

_MAX_BYTES = 50_000_000
Item = TypeVar("Item")


def read_list(file: Path, name: str, parse: Callable[[Any], Item]) -> tuple[Item, ...]:
    """The items of the list `name`, each made by `parse`; () where there is no file.

    A broken file is set aside and its list is lost; neither stops the app.
    """
    try:
        with file.open("rb") as stream:
            data = json.loads(stream.read(_MAX_BYTES))
        return tuple(parse(fields) for fields in data[name])
    except FileNotFoundError:
        return ()
    except OSError as error:
        logger.warning("%s can't be read: %s", file.name, error)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        logger.warning("%s is broken and set aside: %s", file.name, type(error).__name__)
        with suppress(OSError):
            file.replace(file.with_name(f"{file.name}.broken"))
    return ()


def write_list(file: Path, name: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Replace the file as a whole. A list that can't be written costs a click after the next start: it is no error."""
    try:
        # A power cut costs no more than a list that can't be written, and speech waits for this.
        write_json(file, {"version": 1, name: list(items)}, durable=False)
    except OSError as error:
        logger.warning("%s can't be written: %s", file.name, error)
