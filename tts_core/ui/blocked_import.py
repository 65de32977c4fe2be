"""Keeps a library from being loaded by another one that would like it but does not need it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without(library: str) -> Iterator[None]:
    """Block an import: inside, importing `library` fails as if it were not installed, unless it is loaded already."""
    if library in sys.modules:
        yield
        return
    not_there: Any = None  # None in sys.modules makes the import fail
    sys.modules[library] = not_there
    try:
        yield
    finally:
        del sys.modules[library]
