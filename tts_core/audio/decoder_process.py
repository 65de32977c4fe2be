"""The process that decodes one recording of a kind that libsndfile can't read (AAC in MP4 or raw, WebM).

    python -m tts_core.audio.decoder_process DEMUXER MAX_SECONDS MAX_SAMPLES < recording > sound

Whatever a hostile file does to the decoder stays in this process: it may use two gigabytes and a minute of processor,
write no file and open no other. The demuxer is named, so nothing is guessed: no playlist, no list of other files.
Answers with one line of JSON, {"rate": hertz, "channels": count}, then mono float32 samples, little-endian.
Exit status 0 when the recording was read to its end or to one of the limits, else 1.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

import av
import av.error

DEMUXERS = ("mov", "matroska", "aac")
"""FFmpeg's names of the demuxers that are used here."""
_MEMORY_BYTES = 2 << 30
_PROCESSOR_S = 60


def main(arguments: list[str]) -> int:
    demuxer, max_seconds, max_samples = arguments
    if demuxer not in DEMUXERS:
        return 1
    _confine()
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as source:
        try:
            _decode(source, demuxer, float(max_seconds), int(max_samples))
        except (av.error.FFmpegError, ValueError, IndexError, MemoryError) as error:
            sys.stderr.write(type(error).__name__)
            return 1
        except BrokenPipeError:
            return 1
    return 0


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


def _decode(source: io.RawIOBase, demuxer: str, max_seconds: float, max_samples: int) -> None:
    out = sys.stdout.buffer
    with av.open(source, mode="r", format=demuxer) as container:
        stream = container.streams.audio[0]
        rate, channels = stream.rate, stream.channels
        out.write(json.dumps({"rate": rate, "channels": channels}).encode() + b"\n")
        to_mono = av.AudioResampler(format="flt", layout="mono", rate=rate)
        room = min(round(max_seconds * rate), max_samples)
        for frame in container.decode(stream):
            for piece in to_mono.resample(frame):
                samples = piece.to_ndarray().reshape(-1)[:room]
                out.write(samples.astype("<f4").tobytes())
                room -= len(samples)
            if room <= 0:
                break
    out.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
