"""`codec`: a sound file to codes and back, by the speech tokenizer of a model's folder or in its own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tts_core.audio.files import AudioWriter
from tts_core.audio.reading import read_recording
from tts_core.cli.codes import load_codes, save_codes
from tts_core.cli.faults import OutputUnwritable
from tts_core.cli.status import Exit
from tts_core.cli.targets import check_target
from tts_core.engines.faults import CodesUnreadable
from tts_core.engines.qwen.codec.recording import MAX_SECONDS
from tts_core.engines.qwen.round_trip import load_codec
from tts_core.platform.whole_files import replacing
from tts_core.services import Services


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("codec", parents=[shared], help="a sound file to codes and back")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    encode = actions.add_parser("encode", parents=[shared], help="sound to codes: 16 numbers each 80 ms")
    encode.add_argument("--audio", "--in", dest="source", type=Path, required=True, metavar="F", help="sound file")
    encode.add_argument("--out", "--codes", dest="out", type=Path, required=True, metavar="F", help=".npy to write")
    encode.set_defaults(run=run_encode)

    decode = actions.add_parser("decode", parents=[shared], help="codes to sound")
    decode.add_argument("--codes", "--in", dest="source", type=Path, required=True, metavar="F", help=".npy to read")
    decode.add_argument("--out", "--audio", dest="out", type=Path, required=True, metavar="F", help="WAV file to write")
    decode.set_defaults(run=run_decode)

    for action in (encode, decode):
        action.add_argument("--model-dir", type=Path, required=True, metavar="DIR", help="a model's folder")
        action.add_argument("--force", action="store_true", help="replace what exists")


def run_encode(args: argparse.Namespace, services: Services) -> Exit:
    check_target(args.out, force=args.force)
    clip = read_recording(args.source, max_seconds=MAX_SECONDS)
    codes = load_codec(args.model_dir, services.settings.device).encode(clip.samples, clip.sample_rate)
    save_codes([codes], args.out)
    print(f"{args.out}: {len(codes)} frames of 16 codes, {len(codes) * 0.08:.2f} s")
    return Exit.DONE


def run_decode(args: argparse.Namespace, services: Services) -> Exit:
    check_target(args.out, force=args.force)
    codes = load_codes(args.source)
    codec = load_codec(args.model_dir, services.settings.device)
    if codes.size and not 0 <= codes.min() <= codes.max() < codec.config.decoder.codebook_size:
        last = codec.config.decoder.codebook_size - 1
        raise CodesUnreadable(path=args.source, reason=f"they must lie between 0 and {last}")
    samples = codec.decode(codes)
    try:
        with replacing(args.out) as part, AudioWriter(part, "wav", codec.sample_rate, private=False) as writer:
            writer.write(samples)
    except OSError as error:
        raise OutputUnwritable(path=args.out, reason=error.strerror or str(error)) from error
    print(f"{args.out}: {writer.duration_s:.2f} s")
    return Exit.DONE
