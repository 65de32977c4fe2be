"""The binding to the C library."""

from __future__ import annotations

import numpy as np
import pytest

from tts_core.errors import EngineFailed
from tts_core.espeak.library import LIBRARY, NORMAL_RATE, SAMPLE_RATE


def never() -> bool:
    return False


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
