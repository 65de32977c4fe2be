"""Joining of takes into one file, in constant memory: each is read, changed and written before the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tts_core.audio.faults import UnsupportedFormat
from tts_core.audio.files import FORMATS, AudioWriter, read_samples, resample
from tts_core.audio.streaming import M4A, M4aWriter, stretched
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import Samples
from tts_core.speech.plan.join import Joiner, silence
from tts_core.studio.export.assembly import Assembly, JoinPiece

PROJECT_RATE = 24_000
"""The rate of a file whose takes have several rates, hertz."""
JOIN_FORMATS = (*FORMATS, M4A)

Progress = Callable[[float], None]
"""A function called with the percent that is done."""


@dataclass(frozen=True, slots=True)
class JoinedFile:
    """The facts about a joined file."""

    duration_s: float
    sample_rate: int
    segments: int


def join_format(name: str) -> str:
    """The format of that name. Raises UnsupportedFormat."""
    if name not in JOIN_FORMATS:
        raise UnsupportedFormat(format=name, choices=", ".join(JOIN_FORMATS))
    return name


def write_joined(
    assembly: Assembly,
    path: Path,
    format: str,  # noqa: A002 - the requests' word
    *,
    cancelled: CancelCheck = never,
    progress: Progress = lambda _percent: None,
) -> JoinedFile:
    """Write the file; it has its name only once it is whole. Raises UnsupportedFormat, OutputFailed, AudioUnreadable,
    Cancelled."""
    join_format(format)
    rates = {piece.rate for piece in assembly.pieces if piece.rate}
    is_changed = any(piece.tempo != 1.0 for piece in assembly.pieces)
    rate = rates.pop() if len(rates) == 1 and not is_changed else PROJECT_RATE
    joiner, total = Joiner(rate), len(assembly.pieces)
    with M4aWriter(path, rate) if format == M4A else AudioWriter(path, format, rate) as writer:
        for number, piece in enumerate(assembly.pieces, start=1):
            if cancelled():
                raise Cancelled
            if piece.sound is None:
                writer.write(silence(piece.seconds + piece.pause_s, rate))
            else:
                writer.write(joiner.add(_sound(piece, rate)))
                writer.write(joiner.end_segment(piece.pause_s, is_last=number == total))
            progress(100.0 * number / total)
        return JoinedFile(writer.duration_s, writer.sample_rate, total)


def _sound(piece: JoinPiece, rate: int) -> Samples:
    """The take at the file's rate, at its tempo and level."""
    if piece.sound is None:
        return np.zeros(0, np.float32)
    samples, source_rate = read_samples(piece.sound)
    if piece.tempo != 1.0:
        samples, source_rate = stretched(samples, source_rate, piece.tempo)
    samples = resample(samples, source_rate, rate)
    return samples if not piece.gain_db else (samples * np.float32(10 ** (piece.gain_db / 20))).astype(np.float32)
