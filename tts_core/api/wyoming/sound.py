"""Sound as clients send it: raw samples in chunks, of any width, rate and number of channels."""

from __future__ import annotations

import numpy as np
from wyoming.audio import AudioChunk

from tts_core.audio.faults import AudioUnreadable, RecordingTooLong
from tts_core.audio.files import MAX_CHANNELS, MAX_RATE, MIN_RATE
from tts_core.audio.reading import LONG_RATE, MAX_RECORDING_S, Clip

_WIDTHS = {1: "u1", 2: "<i2", 4: "<i4"}
"""The types of samples by their bytes; single bytes have no sign, as in wav files."""


class IncomingSound:
    """The chunks of one recording, collected until it ends."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._form: tuple[int, int, int] | None = None
        """Rate, width and channels, which the first chunk says."""

    def add(self, chunk: AudioChunk) -> None:
        """Raises AudioUnreadable, RecordingTooLong."""
        form = (chunk.rate, chunk.width, chunk.channels)
        if self._form is None:
            is_known = chunk.width in _WIDTHS and 0 < chunk.channels <= MAX_CHANNELS
            if not (is_known and MIN_RATE <= chunk.rate <= MAX_RATE):
                raise AudioUnreadable(path=SOURCE, reason="its rate, width or channels are not known here")
            self._form = form
        if form != self._form:
            raise AudioUnreadable(path=SOURCE, reason="its form changes midway")
        self._data += chunk.audio
        samples = len(self._data) // (chunk.width * chunk.channels)
        if samples > MAX_RECORDING_S * min(chunk.rate, LONG_RATE):
            raise RecordingTooLong(limit_s=round(MAX_RECORDING_S))

    def clip(self) -> Clip:
        """The mono samples. Raises AudioUnreadable where there are none."""
        rate, width, channels = self._form or (MIN_RATE, 2, 1)
        whole = len(self._data) // (width * channels) * (width * channels)
        if not whole:
            raise AudioUnreadable(path=SOURCE, reason="it holds no sound")
        numbers = np.frombuffer(bytes(self._data[:whole]), _WIDTHS[width]).astype(np.float32)
        if width == 1:
            numbers -= 128
        samples = numbers.reshape(-1, channels).mean(axis=1) / float(1 << (8 * width - 1))
        return Clip(samples.astype(np.float32), rate, channels=channels)


SOURCE = "wyoming"
