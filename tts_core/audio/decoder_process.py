"""The process that finds out what a recording is and decodes it, whatever FFmpeg can read.

    python -m tts_core.audio.decoder_process MAX_SECONDS LONG_RATE CHANNEL < recording > sound

Whatever a hostile file does to the decoder stays in this process: it may use two gigabytes and a minute of processor,
write no file and open no other. FFmpeg guesses the container among DEMUXERS only: no playlist, no list of other files.
Answers with one line of JSON, {"container": name, "rate": hertz, "channels": count}, then mono float32 samples,
little-endian. CHANNEL is the one that is taken, -1 their mean. The rate is the recording's own, and LONG_RATE at most
for a recording longer than FULL_RATE_S, so that half an hour fits in little memory. Packets that are broken are left
out. At the end a line of JSON on standard error says {"lost_s": seconds left out, "channel": the channel that should
have been taken since the others cancel it, or -1}.
Exit status 0 when the recording was read to its end or to the limit, NO_SOUND for a film without sound, else 1.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator

import av
import av.error
import numpy as np
import numpy.typing as npt
import soxr

from tts_core.audio.mixing import Mixer
from tts_core.audio.reading import FULL_RATE_S, NO_SOUND
from tts_core.domain.events import Samples

CONTAINERS = {
    **{"wav": "wav", "w64": "w64", "aiff": "aiff", "au": "au", "caf": "caf", "flac": "flac", "mp3": "mp3"},
    **{"aac": "aac", "loas": "aac", "ogg": "ogg", "mov": "m4a", "matroska": "webm", "asf": "wma", "avi": "avi"},
    **{"mpegts": "ts", "mpeg": "mpg", "flv": "flv", "amr": "amr", "ac3": "ac3", "eac3": "ac3", "ape": "ape"},
    **{"wv": "wv", "tta": "tta", "voc": "voc"},
}
"""FFmpeg's names of the demuxers that are used here, and what the containers are called."""
_MEMORY_BYTES = 2 << 30
_PROCESSOR_S = 60
_BLOCK = 1 << 16
"""The samples that are mixed at once."""
_NUMBERED = "flac"
"""The codec whose frames say where they belong, so that a missing one is noticed."""
_MOST_FAULTS = 1000
"""The broken places in a row after which nothing more is expected of a file."""


def main(arguments: list[str]) -> int:
    max_seconds, long_rate, channel = arguments
    _confine()
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as source:
        try:
            return _decode(source, float(max_seconds), int(long_rate), int(channel))
        except (av.error.FFmpegError, ValueError, IndexError, MemoryError):
            return 1
        except BrokenPipeError:
            return 1


def _confine() -> None:
    """Set limits that nothing in this process can lift again; Windows has none of them, the caller's clock remains."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    for limit, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _PROCESSOR_S),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS refuses a limit on the address space
            resource.setrlimit(limit, (most, most))


def _decode(source: io.RawIOBase, max_seconds: float, long_rate: int, channel: int) -> int:
    options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": ""}
    with av.open(source, mode="r", container_options=options) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if not streams:
            return NO_SOUND if container.streams.video else 1
        if streams[0].codec_context.name == _NUMBERED:  # a broken frame would be a bang
            streams[0].codec_context.options = {"err_detect": "crccheck+explode"}
        sound = _Sound(container, streams[0])
        mixer = Mixer(channel)
        _write(sound, mixer, max_seconds, long_rate)
    sys.stdout.buffer.flush()
    sys.stderr.write(json.dumps({"lost_s": sound.lost_s, "channel": mixer.cancelled_channel()}))
    return 0


def _write(sound: _Sound, mixer: Mixer, max_seconds: float, long_rate: int) -> None:
    """Write header and samples: the samples are held back until it is known whether the recording is a long one."""
    held: list[Samples] = []
    length, is_long, resampler = 0, False, None
    for block in sound.blocks():
        piece, rate = mixer.mix(block), sound.rate
        length += len(piece)
        if is_long:
            _put(piece, resampler)
        else:
            held.append(piece)
            if length > FULL_RATE_S * rate:
                is_long = True
                if rate > long_rate:
                    resampler = soxr.ResampleStream(rate, long_rate, 1, dtype="float32")
                _head(sound, min(rate, long_rate))
                while held:
                    _put(held.pop(0), resampler)
        if length > max_seconds * rate:
            break
    if not is_long and held:
        _head(sound, sound.rate)
    for piece in held:
        _put(piece, None)
    if resampler is not None:
        _put(resampler.resample_chunk(np.zeros(0, np.float32), last=True), None)


def _head(sound: _Sound, rate: int) -> None:
    facts = {"container": sound.container, "rate": rate, "channels": sound.channels}
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n")


def _put(samples: Samples, resampler: soxr.ResampleStream | None) -> None:
    if resampler is not None:
        samples = resampler.resample_chunk(samples)
    sys.stdout.buffer.write(samples.astype("<f4", copy=False).tobytes())


class _Sound:
    """The sound of a stream, without what is broken in it."""

    def __init__(self, container: av.container.InputContainer, stream: av.AudioStream) -> None:
        self.container = CONTAINERS[container.format.name.partition(",")[0]]
        self.rate = self.channels = 0
        """The first frame says rate and channels: what the container says of them may be wrong."""
        self.lost_s = 0.0
        self._container = container
        self._stream = stream

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """The sound of each channel, (channels, samples)."""
        held: list[npt.NDArray[np.float32]] = []
        length = 0
        for frame in self._frames():
            if not self.rate:
                self.rate, self.channels = frame.sample_rate, frame.layout.nb_channels
                if self.rate <= 0:
                    raise ValueError("no rate")
            samples = _floats(self._alike(frame))
            held.append(samples)
            length += samples.shape[1]
            if length >= _BLOCK:
                yield np.concatenate(held, axis=1)
                held, length = [], 0
        if held:
            yield np.concatenate(held, axis=1)

    def _alike(self, frame: av.AudioFrame) -> av.AudioFrame:
        """The frame at the first one's rate and channels; few recordings change theirs on the way."""
        if (frame.sample_rate, frame.layout.nb_channels) == (self.rate, self.channels):
            return frame
        layout = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels}C")
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=self.rate)
        pieces = [*resampler.resample(frame), *resampler.resample(None)]
        return max(pieces, key=lambda piece: piece.samples)

    def _frames(self) -> Iterator[av.AudioFrame]:
        faults, last_s, missing_s, sound_s = 0, 0.0, 0.0, 0.0
        first_s: float | None = None
        is_numbered = self._stream.codec_context.name == _NUMBERED
        for packet in self._packets():
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                faults += 1
                if faults > _MOST_FAULTS:
                    return
                duration, unit = packet.duration, packet.time_base
                self.lost_s += float(duration * unit) if duration and unit else last_s
                continue
            for frame in frames:
                if not isinstance(frame, av.AudioFrame) or not frame.samples:
                    continue
                faults, last_s = 0, frame.samples / max(1, frame.sample_rate)
                if is_numbered and frame.time is not None:
                    first_s = frame.time if first_s is None else first_s
                    missing_s = frame.time - first_s - sound_s
                sound_s += last_s
                yield frame
        self.lost_s = round(self.lost_s + max(0.0, missing_s), 3)

    def _packets(self) -> Iterator[av.Packet[av.AudioStream]]:
        """The stream's packets, and an empty one at the end; those that the container has broken are passed over."""
        for _ in range(_MOST_FAULTS):
            try:
                yield from self._container.demux(self._stream)
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                continue
            return


def _floats(frame: av.AudioFrame) -> npt.NDArray[np.float32]:
    """The frame's samples with full scale at 1, (channels, samples)."""
    found = frame.to_ndarray()
    if not frame.format.is_planar:
        found = found.reshape(-1, frame.layout.nb_channels).T
    if found.dtype == np.uint8:
        found = (found.astype(np.int16) - 128) * 256
    if found.dtype.kind == "i":
        scale = np.float32(2.0 ** (1 - 8 * found.itemsize))
        scaled: npt.NDArray[np.float32] = np.multiply(found, scale, dtype=np.float32, casting="unsafe")
        return scaled
    return found.astype(np.float32, copy=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
