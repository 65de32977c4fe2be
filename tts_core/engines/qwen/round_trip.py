"""Use case: a sound file to codes and back, to hear what the codec keeps. The codec itself is in `codec.codec`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tts_core.audio.reading import read_recording
from tts_core.domain.events import Codes, Samples

if TYPE_CHECKING:
    from tts_core.engines.qwen.codec.codec import Codec

MAX_SECONDS = 60.0
"""Longest sound of one round trip: encoding takes about 30 MB of memory a second."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    codes: Codes
    """The codes of the sound, (frames, 16)."""
    samples: Samples
    """The sound that the codes decode to."""
    sample_rate: int
    """Hertz of `samples`."""


def load_codec(folder: Path, device: str) -> Codec:
    """The codec of a model's folder or of the tokenizer's own; `device` is "auto" or torch's name of one."""
    from tts_core.engines.qwen.codec.codec import Codec, codec_folder  # noqa: PLC0415 - torch: seconds and hundreds of megabytes
    from tts_core.engines.qwen.placing import choose  # noqa: PLC0415

    return Codec.load(codec_folder(folder), choose(device, "float32").placement.device)


def round_trip(folder: Path, audio: Path, device: str) -> RoundTrip:
    """Encode a sound file and decode it again. Raises the errors of `read_recording`, and ModelFolderInvalid naming the
    file."""
    clip = read_recording(audio, max_seconds=MAX_SECONDS)
    codec = load_codec(folder, device)
    codes = codec.encode(clip.samples, clip.sample_rate)
    return RoundTrip(codes, codec.decode(codes), codec.sample_rate)
