"""The one typed error for work that needs more memory than the machine has."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tts_core.domain.errors.base import StudioError

logger = logging.getLogger(__name__)


class OutOfMemory(StudioError):
    code = "out_of_memory"
    template = (
        "There is not enough memory for this. Close other programs, take a smaller model or a shorter text, "
        "then try again."
    )


@contextmanager
def memory_errors_typed() -> Iterator[None]:
    """Raise OutOfMemory for a lack of memory inside the block."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        logger.exception("out of memory")
        raise OutOfMemory from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` reports a lack of memory: Python's, numpy's or a graphics card's.

    PyTorch raises a plain RuntimeError for the CPU's memory, which nothing but its words tells apart: it is not
    recognised.
    """
    torch = sys.modules.get("torch")  # importing torch takes seconds; where it is not loaded, it has raised nothing
    return isinstance(error, MemoryError if torch is None else (MemoryError, torch.OutOfMemoryError))
