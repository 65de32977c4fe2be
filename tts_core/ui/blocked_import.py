"""Keeps a library from being loaded by another one that would like it but does not need it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without(library: str) -> Iterator[None]:
    """Inside, importing `library` fails as if it were not installed, unless it is loaded already."""
    if library in sys.modules:
        yield
        return
    not_there: Any = None  # import's own word for it
    sys.modules[library] = not_there
    try:
        yield
    finally:
        del sys.modules[library]
