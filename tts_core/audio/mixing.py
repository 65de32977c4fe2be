"""Several channels to one, and samples as they should lie: around zero and within full scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tts_core.domain.events import Samples

MEAN = -1
"""The number that stands for the mean of all channels."""
_CANCELLED = 1 / 8
"""The share of the loudest channel's energy below which the mean has lost it: 9 dB. The mean of one voice and one
silent channel has a quarter."""
_OFFSET = 2e-3
"""The least offset that is taken out, -54 dB: below it nothing is changed."""
_MEDIAN_SAMPLES = 1 << 20
"""The samples that an offset is estimated from."""


class Mixer:
    """A mixer of a recording's blocks, which finds out on the way whether the channels cancel each other: two of
    opposite phase, as a microphone with crossed wires records, have no mean."""

    def __init__(self, channel: int = MEAN) -> None:
        self._channel = channel
        self._length = 0
        self._sums: npt.NDArray[np.float64] = np.zeros(0)
        self._squares: npt.NDArray[np.float64] = np.zeros(0)

    def mix(self, block: npt.NDArray[np.float32]) -> Samples:
        """The block of (channels, samples) as one channel."""
        if len(block) == 1 or self._channel != MEAN:
            taken: Samples = block[min(max(0, self._channel), len(block) - 1)]
            return taken
        mean: Samples = block.mean(axis=0, dtype=np.float32)
        with np.errstate(all="ignore"):  # a forged file may hold any numbers
            rows = np.concatenate([block, mean[None]]).astype(np.float64)
            sums, squares = rows.sum(axis=1), np.einsum("ij,ij->i", rows, rows)
        if not len(self._sums):
            self._sums, self._squares = np.zeros(len(rows)), np.zeros(len(rows))
        self._length += len(mean)
        self._sums += sums
        self._squares += squares
        return mean

    def cancelled_channel(self) -> int:
        """The loudest channel where the mean of all has lost it, else MEAN."""
        if not self._length:
            return MEAN
        with np.errstate(all="ignore"):
            energies = self._squares - self._sums**2 / self._length  # an offset is no sound
        loudest = int(np.argmax(energies[:-1]))
        return loudest if energies[-1] < _CANCELLED * energies[loudest] else MEAN


def mended(samples: Samples) -> Samples:
    """The samples around zero and within full scale; the same array, changed in place.

    An offset, as cheap sound cards add, would count as noise and take away headroom. Samples beyond full scale, which
    files of floats may hold, would be cut off when they are kept.
    """
    if not len(samples):
        return samples
    # not the mean: the waves of a voice are steeper on one side
    offset = float(np.median(samples[:: len(samples) // _MEDIAN_SAMPLES + 1]))
    if abs(offset) > _OFFSET:
        samples -= np.float32(offset)
    peak = max(float(samples.max()), -float(samples.min()))
    if peak > 1.0:
        samples /= np.float32(peak)
    return samples
