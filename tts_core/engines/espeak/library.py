"""The C library espeak-ng through ctypes: voices, parameters and synchronous synthesis. Knows no requests or events.

espeak-ng keeps everything in C globals, so a process has exactly one of it. `LIBRARY` is its owner: it loads the
library on first use and its lock serialises every call.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

import espeakng_loader
import numpy as np
import numpy.typing as npt

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import EngineFailed
from tts_core.domain.text import part_long_words

SAMPLE_RATE = 22_050
"""Hertz of all of espeak-ng's own voices."""
NORMAL_RATE = 175
"""espeak-ng's words per minute at speed 1."""

_BUFFER_MS = 60_000  # espeak-ng drops what is left of the last sound when a buffer fills up in it, so it must be long
_MAX_DATA_PATH_BYTES = 159  # espeak-ng copies the path into a buffer of 160
_OUTPUT_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000  # without it espeak-ng ends the whole process when it does not find its data
_CHARS_UTF8 = 0x1
_PARAMETER_RATE = 1
_PARAMETER_VOLUME = 2
_VOLUME = 80  # of 100; at its normal volume some languages clip
_IPA = 0x2

Pcm = npt.NDArray[np.int16]
"""Mono samples, shape (samples,)."""


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """A language as espeak-ng lists it."""

    name: str
    identifier: str
    """The path of the language's file, e.g. "gmw/en-US"; selects it, with "+f3" for a variant."""
    codes: tuple[str, ...]
    """The language codes that it answers to, its own first."""


class _VoiceStruct(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("internal_byte", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakLibrary:
    def __init__(self) -> None:
        self._lock = Lock()
        self._functions: ctypes.CDLL | None = None

    def voices(self) -> tuple[EspeakVoice, ...]:
        """The languages that espeak-ng has data for. Raises EngineFailed when it can't be loaded."""
        with self._lock:
            return tuple(_read_voices(self._loaded().espeak_ListVoices(None)))

    def synthesize(self, text: str, *, voice: str, rate: int, cancelled: CancelCheck) -> Pcm:
        """Speak plain `text` (markup is read out, not obeyed) without silence around it.

        `voice` is an identifier, with "+variant" if wanted; `rate` is words per minute, 80 to 450. Takes a few
        milliseconds per sentence; once `cancelled`, which is asked every few clauses, it returns what there is.
        """
        recording = _Recording(cancelled)
        callback = _SynthCallback(recording.take)  # must outlive the call: C keeps only the pointer
        data = part_long_words(text).encode("utf-8", errors="replace")
        with self._lock:
            functions = self._loaded()
            _check(functions.espeak_SetVoiceByName(voice.encode()), f"it does not have the voice {voice}")
            _check(functions.espeak_SetParameter(_PARAMETER_RATE, rate, 0), f"it refused the rate {rate}")
            _check(functions.espeak_SetParameter(_PARAMETER_VOLUME, _VOLUME, 0), f"it refused the volume {_VOLUME}")
            functions.espeak_SetSynthCallback(callback)
            status = functions.espeak_Synth(data, len(data) + 1, 0, 1, 0, _CHARS_UTF8, None, None)
        if recording.error is not None:
            raise recording.error
        _check(status, "synthesis broke off")
        return np.concatenate([np.zeros(0, dtype=np.int16), *recording.pieces])

    def phonemes(self, text: str, *, voice: str) -> str:
        """The pronunciation of `text` in IPA; clauses are parted by newlines."""
        data = ctypes.create_string_buffer(part_long_words(text).encode("utf-8"))
        position = ctypes.c_void_p(ctypes.addressof(data))
        clauses = []
        with self._lock:
            functions = self._loaded()
            _check(functions.espeak_SetVoiceByName(voice.encode()), f"it does not have the voice {voice}")
            while position.value:
                clause = functions.espeak_TextToPhonemes(ctypes.byref(position), _CHARS_UTF8, _IPA)
                clauses.append(clause.decode("utf-8"))
        return "\n".join(clauses)

    def _loaded(self) -> ctypes.CDLL:
        """The initialised library; the lock is held."""
        if self._functions is None:
            self._functions = _load()
        return self._functions


LIBRARY = EspeakLibrary()


class _Recording:
    """Collects what the library hands to its callback. No exception may pass through C, so one is kept for later."""

    def __init__(self, cancelled: CancelCheck) -> None:
        self._cancelled = cancelled
        self.pieces: list[Pcm] = []
        self.error: BaseException | None = None

    def take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        """Copy the samples; answers 0 to go on, 1 to end the synthesis."""
        try:
            if self._cancelled():
                return 1
            if samples and count > 0:
                self.pieces.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        except BaseException as error:  # noqa: BLE001 - raised again on the other side of C
            self.error = error
            return 1
        return 0


def _load() -> ctypes.CDLL:
    data_path = _native_path(espeakng_loader.get_data_path())
    if len(data_path) > _MAX_DATA_PATH_BYTES:
        raise EngineFailed(
            engine="espeak-ng",
            reason=f"its data is in a folder whose path is longer than {_MAX_DATA_PATH_BYTES} bytes; "
            "move the Python environment to a shorter path",
        )
    try:
        functions = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise EngineFailed(engine="espeak-ng", reason=str(error)) from error
    _declare(functions)
    if functions.espeak_Initialize(_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data_path, _DONT_EXIT) != SAMPLE_RATE:
        raise EngineFailed(engine="espeak-ng", reason="its data is missing or broken; reinstall espeakng-loader")
    return functions


def _native_path(path: str) -> bytes:
    # C's fopen wants the ANSI code page on Windows, where os.fsencode gives UTF-8
    return path.encode("mbcs") if os.name == "nt" else os.fsencode(path)


def _declare(functions: ctypes.CDLL) -> None:
    """Declare the functions' signatures, as in espeak-ng 1.52's speak_lib.h."""
    c_int, c_uint, c_char_p, c_void_p = ctypes.c_int, ctypes.c_uint, ctypes.c_char_p, ctypes.c_void_p
    signatures = {
        "espeak_Initialize": (c_int, [c_int, c_int, c_char_p, c_int]),
        "espeak_SetSynthCallback": (None, [_SynthCallback]),
        "espeak_SetVoiceByName": (c_int, [c_char_p]),
        "espeak_SetParameter": (c_int, [c_int, c_int, c_int]),
        "espeak_Synth": (
            c_int,
            [c_char_p, ctypes.c_size_t, c_uint, c_int, c_uint, c_uint, ctypes.POINTER(c_uint), c_void_p],
        ),
        "espeak_TextToPhonemes": (c_char_p, [ctypes.POINTER(c_void_p), c_int, c_int]),
        "espeak_ListVoices": (ctypes.POINTER(ctypes.POINTER(_VoiceStruct)), [c_void_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments


def _check(status: int, reason: str) -> None:
    if status != 0:
        raise EngineFailed(engine="espeak-ng", reason=reason)


def _read_voices(table: ctypes._Pointer[ctypes._Pointer[_VoiceStruct]]) -> Iterator[EspeakVoice]:
    index = 0
    while table[index]:
        voice = table[index].contents
        yield EspeakVoice(voice.name.decode(), voice.identifier.decode(), tuple(_read_codes(voice.languages)))
        index += 1


def _read_codes(address: int) -> Iterator[str]:
    """Read codes from C's list: a priority byte and a zero-terminated string each, after the last one a zero byte."""
    while ctypes.string_at(address, 1) != b"\0":
        code = ctypes.string_at(address + 1)
        yield code.decode()
        address += len(code) + 2
