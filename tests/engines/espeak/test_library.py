"""The binding to the C library."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from tts_core.domain.engine import never
from tts_core.domain.errors import EngineFailed
from tts_core.engines.espeak.library import LIBRARY, NORMAL_RATE, SAMPLE_RATE


def test_mandarin_reads_hanzi_with_tones() -> None:
    assert LIBRARY.phonemes("你好世界", voice="sit/cmn") == "ni2χˈɑu2 s.ˈi.5 tɕˈiɛ5"


def test_a_failing_cancel_check_comes_out_as_itself_and_the_library_still_works() -> None:
    def broken() -> bool:
        raise ZeroDivisionError("from inside the callback")

    with pytest.raises(ZeroDivisionError, match="from inside the callback"):
        LIBRARY.synthesize("Hello", voice="gmw/en-US", rate=NORMAL_RATE, cancelled=broken)
    assert LIBRARY.synthesize("Hello", voice="gmw/en-US", rate=NORMAL_RATE, cancelled=never).any()


def test_cancelling_stops_inside_a_text() -> None:
    text = "one two three four five six. " * 100
    whole = LIBRARY.synthesize(text, voice="gmw/en-US", rate=NORMAL_RATE, cancelled=never)
    answers = iter([False, True])
    begun = LIBRARY.synthesize(text, voice="gmw/en-US", rate=NORMAL_RATE, cancelled=lambda: next(answers))
    assert 0 < len(begun) < len(whole) / 10


@pytest.mark.parametrize("rate", range(150, 400, 10))
def test_the_end_of_a_sound_is_never_cut_off(rate: int) -> None:
    words = [
        LIBRARY.synthesize(text, voice="gmw/en-US+f2", rate=rate, cancelled=never)
        for text in ("Hello. Hello.", "Hello.")
    ]
    assert len(words[0]) > 2 * len(words[1]) - 0.1 * SAMPLE_RATE
    assert np.abs(words[1][-200:]).max() < 1000


def test_a_voice_that_does_not_exist_is_a_typed_error() -> None:
    with pytest.raises(EngineFailed, match="does not have the voice"):
        LIBRARY.synthesize("Hello", voice="no/such", rate=NORMAL_RATE, cancelled=never)


def test_text_that_is_not_valid_unicode_is_spoken_without_harm() -> None:
    assert LIBRARY.synthesize("a\ud800b", voice="gmw/en-US", rate=NORMAL_RATE, cancelled=never).any()


WORDS_OF_SUFFIXES = (
    *(("gmw/en-US", unit) for unit in ("'s", "s'", "ness", "'sness")),
    *(("gmw/nl", unit) for unit in ("jes", "en", "er", "lijkjes")),
    *(("ira/fa", unit) for unit in ("ی", "ان", "ات", "مان")),
)
"""espeak-ng strips one suffix after the other, and keeps them in a buffer of 200 bytes."""
_SPEAK = """
import json, sys
from tts_core.engines.espeak.library import LIBRARY
for voice, text in json.load(sys.stdin):
    LIBRARY.synthesize(text, voice=voice, rate=175, cancelled=lambda: False)
    LIBRARY.phonemes(text, voice=voice)
"""


def test_a_word_of_nothing_but_suffixes_does_not_end_the_process() -> None:
    told = json.dumps([(voice, unit * (300 // len(unit))) for voice, unit in WORDS_OF_SUFFIXES])
    done = subprocess.run([sys.executable, "-c", _SPEAK], input=told, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_words_as_long_as_there_are_stay_whole() -> None:
    word = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
    assert "\n" not in LIBRARY.phonemes(word, voice="gmw/de")
    assert " " not in LIBRARY.phonemes(word, voice="gmw/de")
