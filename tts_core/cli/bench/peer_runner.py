"""Speaks with a peer, by the peer's own Python: `peer_runner.py ORDER`, ORDER a JSON object (see Order).

Answers on stdout, one JSON object a line: first what was loaded, then one take for each line {"seed": N} on stdin.
{"failed": CODE, "reason": TEXT} instead of an answer is the last word. It runs where the studio is not installed, so it
imports nothing of it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.floating]
SAMPLE_RATE = 24_000
MISSING, NO_CUDA, BROKEN = "missing", "no_cuda", "broken"
"""The reasons why a peer can't be measured."""
_STUBS = ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi")
"""qwen-tts imports them for a tokenizer that these models don't have."""


@dataclass(frozen=True)
class Order:
    peer: str
    """The peer's name, a key of PEERS."""
    folder: str
    """The model's folder."""
    device: str
    precision: str
    """torch's name of a dtype."""
    threads: int
    frames: int
    """The number of frames of every take."""
    text: str
    audible: float
    """The quietest sample that counts as heard."""


class _NeedsCuda(Exception):
    pass


class _Peer:
    """A loaded model: `model` has the peer's methods that speak, `inner` is the network of the qwen_tts package."""

    def __init__(self, order: Order, model: Any, inner: Any) -> None:
        self.order = order
        self.model = model
        self.inner = inner

    def voice(self) -> tuple[str, dict[str, Any]]:
        """The name of the method for the model's kind, and its arguments that choose a voice."""
        kind = self.inner.tts_model_type
        if kind == "custom_voice":
            speaker = next(iter(self.inner.config.talker_config.spk_id))
            return "custom_voice", {"speaker": speaker, "language": "Auto"}
        if kind == "voice_design":
            return "voice_design", {"instruct": "", "language": "Auto"}
        import torch  # noqa: PLC0415 - the peer's

        speaker = torch.zeros(self.inner.config.speaker_encoder_config.enc_dim)
        prompt = {"ref_code": [None], "ref_spk_embedding": [speaker], "x_vector_only_mode": [True], "icl_mode": [False]}
        return "voice_clone", {"voice_clone_prompt": prompt, "language": "Auto"}

    def speak(self) -> Iterator[Samples]:
        """Make a take of the ordered frames; yields its sound whole or in pieces."""
        raise NotImplementedError


class _QwenTts(_Peer):
    """The published package qwen-tts: sound comes when the take is whole."""

    @classmethod
    def load(cls, order: Order) -> _QwenTts:
        if importlib.util.find_spec("torchaudio") is None:
            sys.modules.update({name: ModuleType(name) for name in _STUBS})
            sys.modules["torchaudio.compliance"].kaldi = sys.modules[_STUBS[-1]]  # type: ignore[attr-defined]
        import torch  # noqa: PLC0415
        from qwen_tts import Qwen3TTSModel  # noqa: PLC0415

        dtype = getattr(torch, order.precision)
        model = Qwen3TTSModel.from_pretrained(order.folder, dtype=dtype, device_map=order.device)
        inner = model.model
        end = inner.config.talker_config.codec_eos_token_id
        inner.talker.codec_head.register_forward_hook(lambda _head, _inputs, logits: _without(end, logits))
        return cls(order, model, inner)

    def speak(self) -> Iterator[Samples]:
        name, voice = self.voice()
        sounds, _ = getattr(self.model, f"generate_{name}")(
            text=self.order.text, max_new_tokens=self.order.frames + 1, **voice
        )
        yield sounds[0]


class _Faster(_Peer):
    """The package faster-qwen3-tts: CUDA graphs around the published modules; streams its usual 12 frames a piece."""

    @classmethod
    def load(cls, order: Order) -> _Faster:
        import torch  # noqa: PLC0415

        if not torch.cuda.is_available() or not order.device.startswith("cuda"):
            raise _NeedsCuda
        from faster_qwen3_tts import FasterQwen3TTS  # noqa: PLC0415

        dtype = getattr(torch, order.precision)
        model = FasterQwen3TTS.from_pretrained(order.folder, device=order.device, dtype=dtype)
        return cls(order, model, model.model.model)

    def speak(self) -> Iterator[Samples]:
        name, voice = self.voice()
        frames = self.order.frames
        pieces = getattr(self.model, f"generate_{name}_streaming")(
            text=self.order.text, max_new_tokens=frames, min_new_tokens=frames, **voice
        )
        for samples, _rate, _timing in pieces:
            yield samples


PEERS: dict[str, Callable[[Order], _Peer]] = {"qwen-tts": _QwenTts.load, "faster-qwen3-tts": _Faster.load}


def _without(end: int, logits: Any) -> Any:
    """Make the end of speech impossible to draw, so that every take has all its frames."""
    logits[..., end] = -float("inf")
    return logits


def _answer(order: Order, answers: TextIO) -> None:
    import torch  # noqa: PLC0415

    torch.set_num_threads(order.threads)
    started = time.perf_counter()
    peer = PEERS[order.peer](order)
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, order.peer: _version_of(order.peer)}
    _send(answers, {"load_s": time.perf_counter() - started, "versions": versions, "pid": os.getpid()})
    for line in sys.stdin:
        torch.manual_seed(json.loads(line)["seed"])
        _send(answers, {**_take(peer), "gpu_peak_bytes": _gpu_peak_bytes(torch)})


def _take(peer: _Peer) -> dict[str, Any]:
    """Make a take and note when each piece came, its number of samples, and its first audible one (null: none)."""
    chunks = []
    started = time.perf_counter()
    for samples in peer.speak():
        at_s = time.perf_counter() - started
        loud = np.flatnonzero(np.abs(samples) >= peer.order.audible)
        chunks.append((at_s, len(samples), int(loud[0]) if len(loud) else None))
    return {"wall_s": time.perf_counter() - started, "sample_rate": SAMPLE_RATE, "chunks": chunks}


def _gpu_peak_bytes(torch: Any) -> int | None:
    return int(torch.cuda.max_memory_reserved()) if torch.cuda.is_initialized() else None


def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # installed under another name, such as a fork's
        return "unknown"


def _send(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main(order: Order) -> None:
    # Whatever the peer prints goes to stderr, so that answers stay whole.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        try:
            _answer(order, answers)
        except ModuleNotFoundError as error:
            _send(answers, {"failed": MISSING, "reason": str(error)})
        except _NeedsCuda:
            _send(answers, {"failed": NO_CUDA, "reason": "it computes with CUDA only"})
        except Exception as error:  # noqa: BLE001 - other people's code fails in any way; the answer says how
            traceback.print_exc()
            _send(answers, {"failed": BROKEN, "reason": " ".join(f"{type(error).__name__}: {error}".split())[:300]})


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
