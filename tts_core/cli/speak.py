"""`speak`: a text becomes a sound file."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from tts_core.audio.faults import UnsupportedFormat
from tts_core.audio.files import FORMATS
from tts_core.cli import progress
from tts_core.cli.check import check_as_json, check_as_words, show_listening
from tts_core.cli.codes import save_codes
from tts_core.cli.status import Exit
from tts_core.cli.targets import check_target, put
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, InvalidRequest, StudioError
from tts_core.domain.events import (
    AudioChunk,
    Codes,
    Loading,
    Queued,
    Restarted,
    SegmentRestarted,
    SegmentStarted,
    SpeakEvent,
    Started,
    TakeReady,
)
from tts_core.domain.values import (
    AUTO_LANGUAGE,
    Decoding,
    ReadAs,
    Recording,
    SplitMode,
    StopReason,
    SynthesisRequest,
    Take,
    TextMode,
)
from tts_core.engines.whisper.transcriber import SpokenCheck
from tts_core.services import Services, folder_synthesis
from tts_core.speech.plan.plan import words_of
from tts_core.speech.reading import text_to_say
from tts_core.speech.synthesis import Synthesis
from tts_core.voices.finder import VoiceFinder


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("speak", parents=[shared], help="speak a text into a sound file")
    parser.add_argument("text", nargs="?", help='what to say; "-" reads it from standard input')
    parser.add_argument("--text", dest="text_option", metavar="T", help="the same, as an option")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="sound file to write")
    parser.add_argument("--force", action="store_true", help="replace FILE when it exists")
    parser.add_argument("--voice", metavar="V", help="a voice's id or name (see: voices); default: the best there is")
    parser.add_argument("--language", default=AUTO_LANGUAGE, metavar="L", help="code or name; default: from the text")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="2 is twice as fast")
    parser.add_argument("--instruct", default="", metavar="I", help="style instruction, where the voice follows one")
    parser.add_argument("--seed", type=int, metavar="N", help="repeats a take, where the voice samples; -1: a new one")
    parser.add_argument(
        "--read-as",
        choices=[way.value for way in ReadAs],
        default=ReadAs.MARKDOWN.value,
        help="markdown: signs of Markdown and HTML are not said; plain: every sign counts",
    )
    parser.add_argument(
        "--split",
        choices=[mode.value for mode in SplitMode],
        default=SplitMode.AUTO.value,
        help="auto: a long text is spoken in segments, pauses and readings in it count; never: all at once, as it is",
    )
    parser.add_argument("--format", metavar="F", help=f"{', '.join(FORMATS)}; default: from FILE's name")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop after this much speech")
    parser.add_argument("--check", action="store_true", help="let Whisper listen, and say which words differ")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    _add_model_arguments(parser)
    parser.set_defaults(run=run)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("Qwen3-TTS models, for scripts and checks")
    model.add_argument("--model-dir", type=Path, metavar="DIR", help="speak with the model in this folder")
    model.add_argument("--speaker", metavar="S", help="a preset speaker's name, instead of --voice")
    model.add_argument("--ref-audio", type=Path, metavar="F", help="recording to imitate")
    model.add_argument("--ref-text", metavar="R", help="what is said in it")
    model.add_argument(
        "--x-vector-only", action="store_true", help="copy only the sound of the voice; needs no transcript"
    )
    model.add_argument("--text-mode", choices=[mode.value for mode in TextMode], default=TextMode.FULL.value)
    model.add_argument("--greedy", action="store_true", help="always the likeliest code")
    model.add_argument("--max-frames", type=int, metavar="N", help="max_new_tokens of the published package")
    model.add_argument("--chunk-frames", type=int, metavar="N", help="decode in chunks of N frames")
    model.add_argument("--codes", type=Path, metavar="F", help="also write the codes, (frames, 16), as F.npy")


def run(args: argparse.Namespace, services: Services) -> Exit:
    out: Path = args.out
    for file in (out, *([args.codes] if args.codes else [])):
        check_target(file, force=args.force)
    if args.check:
        services.transcriber.choose()  # before anything is made
    with ExitStack() as cleanup:
        synthesis = services.synthesis
        if args.model_dir is not None:
            synthesis = folder_synthesis(services, args.model_dir)
        stop = cleanup.enter_context(_stop_on_ctrl_c())
        request = _request(args, synthesis, VoiceFinder(synthesis, services.voices, services.voice_models))
        events = synthesis.speak(request, format=args.format or _format_of(out), cancelled=stop.is_set)
        take, codes = _watch(events)
        _deliver(take, out, force=args.force)
        if args.codes is not None:
            save_codes(codes, args.codes)
        check = _checked(services, take, out, _spoken_text(request), stop.is_set) if args.check else None
    return _print_outcome(args, take, check)


def _request(args: argparse.Namespace, synthesis: Synthesis, finder: VoiceFinder) -> SynthesisRequest:
    if (args.text is None) == (args.text_option is None):
        raise InvalidRequest(reason="give the text once: as an argument or with --text.")
    if args.voice is not None and args.speaker is not None:
        raise InvalidRequest(reason="give --voice or --speaker, not both.")
    voice = finder.find(name=args.voice or args.speaker)
    return SynthesisRequest(
        text=_text(args.text_option if args.text is None else args.text),
        voice=voice,
        language=args.language,
        instruct=_instruct(args, synthesis, voice),
        speed=args.speed,
        seed=args.seed,
        max_seconds=args.max_seconds,
        source=_reference(args),
        read_as=ReadAs.named(args.read_as),
        split=SplitMode.named(args.split),
        decoding=Decoding(
            text_mode=TextMode(args.text_mode),
            greedy=args.greedy,
            max_frames=args.max_frames,
            chunk_frames=args.chunk_frames,
            verbatim=args.model_dir is not None,
        ),
    )


def _instruct(args: argparse.Namespace, synthesis: Synthesis, voice: str | None) -> str:
    """The instruction, or "" for a model that follows none: a script for the published package may still give one, and
    that package leaves it out, too."""
    instruct = str(args.instruct)
    if not instruct.strip() or args.model_dir is None or synthesis.capabilities(voice).supports_instruct:
        return instruct
    print("This model does not follow instructions: the instruction is left out.", file=sys.stderr)
    return ""


def _reference(args: argparse.Namespace) -> Recording | None:
    if args.ref_audio is None:
        if args.ref_text is not None or args.x_vector_only:
            raise InvalidRequest(reason="--ref-text and --x-vector-only go with --ref-audio.")
        return None
    if args.x_vector_only:
        return Recording(args.ref_audio)
    if args.ref_text is None:
        raise InvalidRequest(reason="say with --ref-text what the recording says, or add --x-vector-only.")
    return Recording(args.ref_audio, args.ref_text)


def _print_outcome(args: argparse.Namespace, take: Take, check: SpokenCheck | None) -> Exit:
    out: Path = args.out
    target = _printing_to(out)
    if args.json:
        facts = _as_json(take, out) if check is None else {**_as_json(take, out), "check": check_as_json(check)}
        print(json.dumps(facts, ensure_ascii=False), file=target)
    else:
        print(_as_words(take, out), file=target)
        if check is not None:
            print(check_as_words(check), file=target)
    if take.stop_reason is StopReason.CANCELLED:
        print(f"Stopped: the {take.duration_s:.1f} s made so far are kept.", file=sys.stderr)
        return Exit.STOPPED
    if take.retried:
        print("The first attempt lost its way: this is the second one, with another seed.", file=sys.stderr)
    if warning := take.stop_reason.warning:
        print(warning, file=sys.stderr)
    return Exit.NO if take.stop_reason.is_failure else Exit.DONE


def _spoken_text(request: SynthesisRequest) -> str:
    """The words to be heard: those that are written, without tags."""
    if request.decoding.verbatim:
        return request.text
    is_whole = request.split is SplitMode.NEVER
    return text_to_say(request.text, request.read_as) if is_whole else words_of(request.text, request.read_as)


def _checked(services: Services, take: Take, out: Path, text: str, cancelled: CancelCheck) -> SpokenCheck | None:
    """The check of the take. None where it can't be done, or speaking was stopped: the take counts all the same."""
    if cancelled():
        return None
    try:
        return services.transcriber.check(out, text, language=take.language, cancelled=cancelled, say=show_listening)
    except StudioError as error:
        progress.clear()
        print(f"Not checked: {error.message} [{error.code}]", file=sys.stderr)
        return None
    finally:
        progress.clear()


def _watch(events: Iterator[SpeakEvent]) -> tuple[Take, list[Codes]]:
    """The take, and the codes of its chunks where the engine gives them."""
    sample_rate, samples, part = 1, 0, ""
    codes: list[Codes] = []
    parted = 0
    try:
        for event in events:
            match event:
                case Queued():
                    progress.show(f"Waiting, number {event.position}")
                case Started():
                    sample_rate, samples = event.sample_rate, 0
                    codes.clear()
                case SegmentStarted():
                    part, parted = f", part {event.number} of {event.count}", len(codes)
                case SegmentRestarted():
                    samples -= event.samples
                    del codes[parted:]
                case Loading():
                    progress.show(f"Loading {event.model} … {event.percent} %")
                case AudioChunk():
                    samples += len(event.samples)
                    codes += [] if event.codes is None else [event.codes]
                    progress.show(f"{samples / sample_rate:.1f} s of speech{part} (Ctrl-C stops and keeps it)")
                case Restarted():
                    progress.show("The model lost its way; starting over")
                case TakeReady():
                    return event.take, codes
    finally:
        progress.clear()
    raise Cancelled


def _text(argument: str) -> str:
    if argument != "-":
        return argument
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(reason="standard input is not UTF-8 text.") from error


def _format_of(out: Path) -> str:
    suffix = out.suffix.removeprefix(".").lower()
    for name, audio_format in FORMATS.items():
        if suffix in (name, audio_format.extension.removeprefix(".")):
            return name
    raise UnsupportedFormat(format=suffix, choices=", ".join(FORMATS))


@contextmanager
def _stop_on_ctrl_c() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, so that what was made is kept; the second ends the command."""
    stop = threading.Event()

    def on_interrupt(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _deliver(take: Take, out: Path, *, force: bool) -> None:
    """Move the take to `out`, which appears whole or not at all. A take that can't go there is kept."""
    try:
        check_target(out, force=force)  # it may have appeared while we spoke
        put(take.path, out)
    except StudioError:
        print(f"What was spoken is kept: {take.path}", file=sys.stderr)
        raise
    take.path.unlink(missing_ok=True)


def _printing_to(out: Path) -> TextIO:
    """The stream for the outcome: not the one that the sound went to."""
    try:
        return sys.stderr if os.path.samestat(out.stat(), os.fstat(1)) else sys.stdout
    except OSError:
        return sys.stdout


def _as_words(take: Take, out: Path) -> str:
    return (
        f"{out}: {take.duration_s:.2f} s by {take.voice.name} ({take.voice.id}), {take.language}, "
        f"first audio after {take.first_audio_s * 1000:.0f} ms, {take.rtf:.1f} times real time"
        + ("" if take.seed is None else f", seed {take.seed}")
    )


def _as_json(take: Take, out: Path) -> dict[str, str | float | int | bool | None]:
    return {
        "path": str(out),
        "format": take.format,
        "sample_rate": take.sample_rate,
        "duration_s": round(take.duration_s, 4),
        "voice": take.voice.id,
        "language": take.language,
        "first_audio_s": round(take.first_audio_s, 4),
        "rtf": round(take.rtf, 3),
        "seed": take.seed,
        "stop_reason": take.stop_reason.value,
        "retried": take.retried,
    }
