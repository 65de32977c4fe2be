"""Recordings as people's programs write them, and as accidents leave them. Made here, not kept: FFmpeg writes them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping

import av
import numpy as np
import numpy.typing as npt
import soundfile

from tts_core.audio.streaming import StreamEncoder

RATE = 48_000
TONE_HZ = 440.0
SECONDS = 2.0


def tone(seconds: float, rate: int = RATE) -> npt.NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(
    container: str, codec: str, samples: npt.NDArray[np.float32] | None, rate: int = RATE, *, has_film: bool = False
) -> bytes:
    """Mono samples in a container, beside a black film if that is asked for; None for no sound."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as out:
        film = out.add_stream("mpeg4", rate=10) if has_film else None
        sound = None if samples is None else out.add_stream(codec, rate=rate, layout="mono")
        if sound is not None and codec == "wmav2":
            sound.bit_rate = 128_000  # it has no rate of its own choice
        if film is not None:
            film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
            for number in range(20):
                picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
                picture.pts = number
                out.mux(film.encode(picture))
            out.mux(film.encode(None))
        if sound is not None and samples is not None:
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = rate
            size = sound.codec_context.frame_size or rate // 50
            resampler = av.AudioResampler(format=sound.format.name, layout="mono", rate=rate, frame_size=size)
            for piece in (*resampler.resample(frame), *resampler.resample(None), None):
                out.mux([packet for packet in sound.encode(piece) if packet.size])
    return target.getvalue()


def written(container: str, subtype: str | None = None) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, tone(SECONDS), RATE, format=container, subtype=subtype)
    return target.getvalue()


def streamed(name: str) -> bytes:
    """As servers send it while it is made: nothing is known of the end."""
    encoder = StreamEncoder(name, 24_000)
    data = encoder.encode(tone(SECONDS, 24_000)) + encoder.finish()
    if name != "flac":
        return data
    # The last 36 bits of these bytes are the number of samples; 0 is "unknown" (RFC 9639, 8.2).
    facts = int.from_bytes(data[18:26], "big") >> 36 << 36
    return data[:18] + facts.to_bytes(8, "big") + data[26:]


def broken(data: bytes) -> bytes:
    """With a scratch in the middle."""
    middle = len(data) // 2
    return data[:middle] + b"\xff" * 40 + data[middle + 40 :]


def of_a_killed_recorder() -> bytes:
    """A WAV file whose sizes were never filled in."""
    data = bytearray(written("WAV"))
    data[4:8] = data[40:44] = bytes(4)
    return bytes(data)


def speex() -> bytes:
    """Noise: FFmpeg has no encoder, but any bits are a frame of the narrow band's fifth mode, 300 bits for 20 ms."""
    count, rate = round(SECONDS * 50), 8_000
    header = b"Speex   " + b"1.2".ljust(20, b"\0") + struct.pack("<13i", 1, 80, rate, 0, 4, 1, -1, 160, 0, 1, 0, 0, 0)
    random = np.random.default_rng(1)
    first = 0b00101 << 3  # narrow band, mode 5
    frames = [
        bytes([first | int(random.integers(8)), *random.integers(0, 256, 36, dtype=np.uint8)]) for _ in range(count)
    ]
    pages = [_ogg_page(0, 2, 0, header), _ogg_page(1, 0, 0, struct.pack("<II", 0, 0))]
    for number, frame in enumerate(frames, start=1):
        pages.append(_ogg_page(number + 1, 4 if number == count else 0, 160 * number, frame))
    return b"".join(pages)


def _ogg_page(number: int, flags: int, position: int, packet: bytes) -> bytes:
    """RFC 3533, section 6, with one packet."""
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    page = bytearray(
        struct.pack("<4sBBqIIIB", b"OggS", 0, flags, position, 1, number, 0, len(lacing)) + lacing + packet
    )
    page[22:26] = struct.pack("<I", _ogg_checksum(bytes(page)))
    return bytes(page)


def _ogg_checksum(page: bytes) -> int:
    found = 0
    for byte in page:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1) ^ (0x104C11DB7 if found & 0x80000000 else 0)
    return found


def _cut(data: bytes) -> bytes:
    return data[len(data) // 4 + 37 :]


ACCIDENTS: Mapping[str, tuple[str, float, Callable[[], bytes]]] = {
    "m4a with a broken packet": ("m4a", 2, lambda: broken(encoded("ipod", "aac", tone(SECONDS)))),
    "mp4 with a broken packet": ("m4a", 2, lambda: broken(encoded("mp4", "aac", tone(SECONDS)))),
    "aac with a broken packet": ("aac", 2, lambda: broken(encoded("adts", "aac", tone(SECONDS)))),
    "flac with a broken packet": ("flac", 2, lambda: broken(encoded("flac", "flac", tone(SECONDS)))),
    "wav of a killed recorder": ("wav", 2, of_a_killed_recorder),
    "flac of unknown length": ("flac", 2, lambda: streamed("flac")),
    "wav of unknown length": ("wav", 2, lambda: streamed("wav")),
    "tag before aac": (
        "aac",
        2,
        lambda: b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + encoded("adts", "aac", tone(SECONDS)),
    ),
    "mp3 after zeros": ("mp3", 2, lambda: bytes(3000) + encoded("mp3", "libmp3lame", tone(SECONDS))),
    "mp3 cut within a frame": ("mp3", 1.5, lambda: _cut(encoded("mp3", "libmp3lame", tone(SECONDS)))),
    "ogg with flac": ("ogg", 2, lambda: encoded("ogg", "flac", tone(SECONDS))),
    "caf": ("caf", 2, lambda: written("CAF", "PCM_16")),
    "caf with alac": ("caf", 2, lambda: encoded("caf", "alac", tone(SECONDS))),
    "w64": ("w64", 2, lambda: written("W64")),
    "au": ("au", 2, lambda: written("AU")),
    "wma": ("wma", 2, lambda: encoded("asf", "wmav2", tone(SECONDS, 44_100), 44_100)),
    "avi": ("avi", 2, lambda: encoded("avi", "libmp3lame", tone(SECONDS), has_film=True)),
    "transport stream": ("ts", 2, lambda: encoded("mpegts", "aac", tone(SECONDS))),
    "film with sound": ("m4a", 2, lambda: encoded("mp4", "aac", tone(SECONDS), has_film=True)),
}
"""Each with what the container is called and how long it sounds, seconds."""
