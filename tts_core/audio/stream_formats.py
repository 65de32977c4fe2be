"""The formats that sound is sent in, while it is made wherever the format allows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tts_core.audio.faults import UnsupportedFormat
from tts_core.domain.errors import InvalidRequest

STREAM_RATE = 24_000
"""The rate of sound that is sent where no other is asked for, hertz; mono."""
STREAM_RATES = (8_000, 12_000, 16_000, 22_050, STREAM_RATE, 32_000, 44_100, 48_000)
_OPUS_RATES = (8_000, 12_000, 16_000, STREAM_RATE, 48_000)


@dataclass(frozen=True, slots=True)
class StreamFormat:
    mime: str
    container: str = ""
    """FFmpeg's name of the container; "" for bare samples."""
    codec: str = ""
    sample_format: str = ""
    """FFmpeg's name of the sample format the codec takes."""
    bits_per_second: int | None = None
    """The bit rate; None where the codec decides."""
    container_options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)
    gain: float = 1.0
    """The factor that makes up for the codec's change of level."""
    rates: tuple[int, ...] = STREAM_RATES
    """The rates that it can have, hertz."""
    says_length: bool = False
    """Whether its head states the length and readers refuse a wrong one: then it is sent once it is whole."""


STREAM_FORMATS: Mapping[str, StreamFormat] = MappingProxyType(
    {
        # no table of contents: it would have to be filled in at the end
        "mp3": StreamFormat(
            *("audio/mpeg", "mp3", "libmp3lame", "fltp", 96_000),
            {"write_xing": "0", "id3v2_version": "0"},
            gain=1 / 0.95,  # LAME turns everything down, against clipping
        ),
        # a page for each 20 ms instead of each second
        "opus": StreamFormat(
            *("audio/ogg; codecs=opus", "ogg", "libopus", "flt", 64_000), {"page_duration": "20000"}, rates=_OPUS_RATES
        ),
        "aac": StreamFormat("audio/aac", "adts", "aac", "fltp", 96_000),
        "flac": StreamFormat("audio/flac", "flac", "flac", "s16", says_length=True),
        "wav": StreamFormat("audio/wav"),
        "pcm": StreamFormat("audio/pcm"),
    }
)
"""The formats by the name requests use. wav and pcm hold 16-bit samples, little-endian, at the engine's level."""


def stream_format(name: str, rate: int = STREAM_RATE) -> StreamFormat:
    """The format of that name. Raises UnsupportedFormat naming those that work, and InvalidRequest for a rate that it
    can't have."""
    try:
        kind = STREAM_FORMATS[name]
    except KeyError as error:
        raise UnsupportedFormat(format=name, choices=", ".join(STREAM_FORMATS)) from error
    if rate not in kind.rates:
        rates = ", ".join(map(str, kind.rates))
        raise InvalidRequest(reason=f"the sample rate of {name} is one of {rates}.", field="sample_rate")
    return kind
