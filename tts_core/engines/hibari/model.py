"""A Hibari voice in memory: text in, sound out, sentence by sentence. Only this file uses hibari-tts."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tts_core.audio.streaming import stretched
from tts_core.domain.errors import EngineFailed
from tts_core.domain.events import Samples
from tts_core.engines.hibari.voices import NAME, HibariVoice

if TYPE_CHECKING:
    from hibari import Hibari

SAMPLE_RATE = 24_000
THREADS = 1
"""More gain nothing: on one core a voice speaks more than 30 times faster than it is heard."""
FASTEST = 1.0
"""The highest speed that the network is asked for. It counts each sound in whole frames: beyond this it misses the
speed by a tenth and swallows short sounds, so that one word in fifteen is misheard at 1.4 and one in five at 2."""
MEMORY_BYTES = 120 << 20
"""The memory that a voice takes with its dictionary, as measured, in bytes."""


def is_installed() -> bool:
    """Whether the package and what runs its network are there; nothing is imported to find out."""
    try:
        return find_spec("hibari") is not None and find_spec("onnxruntime") is not None
    except ImportError:  # of a finder that refuses a package
        return False


def packaged_file() -> Path | None:
    """The network of the voice that comes with the package; None where the package is missing."""
    spec = find_spec("hibari")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "assets" / "hibari.onnx"


class HibariModel:
    """A loaded voice; make it with `load`. Thread-safe."""

    device = "cpu"
    memory_bytes = MEMORY_BYTES

    def __init__(self, voice: Hibari) -> None:
        self._voice: Hibari | None = voice

    @classmethod
    def load(cls, voice: HibariVoice, file: Path) -> HibariModel:
        """Read the voice's network from `file`: two seconds at most. Raises EngineFailed with the reason why not."""
        try:
            import onnxruntime  # noqa: PLC0415 - both take a second
            from hibari import Hibari  # noqa: PLC0415

            onnxruntime.disable_telemetry_events()  # on Windows they are on; nothing leaves the machine
            made = Hibari(voice.key, model=str(file), threads=THREADS)  # a path: the package fetches nothing itself
            made("Hello.")  # reads the dictionary, and shows that the network fits
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime raises types of its own for each way in which a file can be wrong
            reason = " ".join(str(error).split())[:200]
            raise EngineFailed(engine=NAME, reason=f"{type(error).__name__}: {reason}") from error
        return cls(made)

    def speak(self, sentence: str, *, speed: float, seed: int) -> Samples:
        """Speak a sentence: [N] samples at SAMPLE_RATE, none where there is nothing to say. Raises EngineFailed."""
        if self._voice is None:
            raise EngineFailed(engine=NAME, reason="its voice is closed")
        try:
            sound = self._voice(sentence, speed=min(speed, FASTEST), seed=seed)
        except MemoryError:
            raise
        except Exception as error:  # see load; the error's own words are left out, for they may quote the text
            raise EngineFailed(engine=NAME, reason=f"it broke while it spoke ({type(error).__name__})") from error
        if not np.isfinite(sound).all():
            raise EngineFailed(engine=NAME, reason="what it makes is no sound")
        faster, _rate = stretched(sound.astype(np.float32, copy=False), SAMPLE_RATE, max(speed, FASTEST))
        return faster

    def close(self) -> None:
        self._voice = None
