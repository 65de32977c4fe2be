"""A Piper voice in memory: text in, sound out, sentence by sentence. Only this file uses piper-tts and onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tts_core.domain.errors import EngineFailed
from tts_core.domain.events import Samples
from tts_core.domain.text import part_long_words
from tts_core.engines.faults import PiperMissing
from tts_core.models.faults import PiperVoiceInvalid
from tts_core.models.files.piper_voices import VoiceFile, read_voice
from tts_core.platform.paths import PIPER_REQUIREMENTS_FILE

if TYPE_CHECKING:
    from piper import PiperVoice

INSTALL = f"python -m pip install -r {PIPER_REQUIREMENTS_FILE.name}"
"""The command that installs what is missing, for people to run in the studio's folder."""
MAX_THREADS = 4
"""Most threads: a voice of this size gains nothing from more, and disturbs others."""
MAX_SENTENCE_S = 120.0
"""Most seconds of sound: a model that makes more of one sentence is broken."""
MIN_LENGTH, MAX_LENGTH = 0.1, 10.0
"""Bounds of the factor by which a voice stretches phonemes at speed 1."""
_INPUTS = frozenset({"input", "input_lengths", "scales"})
_SPEAKER_INPUT = "sid"
_REASON_CHARS = 200


class PiperModel:
    """A loaded Piper voice; make it with `load`. Thread-safe."""

    device = "cpu"

    def __init__(self, file: VoiceFile, voice: PiperVoice, memory_bytes: int) -> None:
        self.file = file
        self.memory_bytes = memory_bytes
        self._voice: PiperVoice | None = voice

    @classmethod
    def load(cls, path: Path) -> PiperModel:
        """Read the voice of that .onnx file: a second at most. Raises PiperMissing, PiperVoiceInvalid."""
        try:
            from piper import PiperConfig, PiperVoice  # noqa: PLC0415 - optional, and half a second
        except ImportError as error:
            raise PiperMissing(command=INSTALL) from error
        file = read_voice(path)
        try:
            memory_bytes = path.stat().st_size
            voice = PiperVoice(session=_session(file), config=PiperConfig.from_dict(dict(file.config)))
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime raises types of its own for each way in which a file can be wrong
            raise _unusable(file, " ".join(str(error).split())[:_REASON_CHARS] or type(error).__name__) from error
        inputs = {one.name for one in voice.session.get_inputs()}
        if inputs - {_SPEAKER_INPUT} != _INPUTS or (file.speakers and _SPEAKER_INPUT not in inputs):
            raise _unusable(file, "it is an ONNX model, but none that speaks as Piper's do")
        length = voice.config.length_scale
        if not isinstance(length, (int, float)) or not MIN_LENGTH <= length <= MAX_LENGTH:
            raise _unusable(file, "its description says that it speaks at an impossible speed")
        return cls(file, voice, memory_bytes)

    def speak(self, text: str, *, speaker: int | None, speed: float) -> Iterator[Samples]:
        """Yield each sentence's sound, [N] at the file's rate. `speed` 2.0 is twice as fast. Raises EngineFailed."""
        from piper import SynthesisConfig  # noqa: PLC0415 - see load

        voice = self._voice
        if voice is None:
            raise EngineFailed(engine="Piper", reason="its voice is closed")
        how = SynthesisConfig(speaker_id=speaker, length_scale=voice.config.length_scale / speed)
        sentences = iter(voice.synthesize(part_long_words(text), how))  # Piper has an espeak-ng of its own
        while True:
            try:
                chunk = next(sentences, None)
            except MemoryError:
                raise
            except Exception as error:  # see load; the error's own words are left out, for they may quote the text
                raise _unusable(self.file, f"it broke while it spoke ({type(error).__name__})") from error
            if chunk is None:
                return
            yield _checked(self.file, chunk.audio_float_array)

    def close(self) -> None:
        self._voice = None


def _session(file: VoiceFile) -> Any:
    import onnxruntime  # noqa: PLC0415 - optional, and half a second

    onnxruntime.disable_telemetry_events()  # on Windows they are on; nothing leaves the machine
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(MAX_THREADS, os.cpu_count() or 1)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait keep no core busy
    options.log_severity_level = 3  # errors; its warnings would go to the console
    return onnxruntime.InferenceSession(str(file.model), sess_options=options, providers=["CPUExecutionProvider"])


def _checked(file: VoiceFile, sound: np.ndarray[Any, Any]) -> Samples:
    samples = np.atleast_1d(sound)
    if samples.ndim != 1 or len(samples) > MAX_SENTENCE_S * file.sample_rate or not np.isfinite(samples).all():
        raise _unusable(file, "what it makes is no sound")
    return samples.astype(np.float32)


def _unusable(file: VoiceFile, reason: str) -> PiperVoiceInvalid:
    return PiperVoiceInvalid(file=file.model.name, reason=reason)
