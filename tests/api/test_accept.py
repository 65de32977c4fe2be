"""Who asked for sound and who for facts."""

from __future__ import annotations

import pytest

from tts_core.api.studio.accept import wanted_audio
from tts_core.audio.files import FORMATS


@pytest.mark.parametrize(
    ("accepts", "expected"),
    [
        ([], None),
        (["*/*"], None),
        (["application/json"], None),
        (["application/json, text/plain, */*"], None),
        (["text/html"], None),
        ([""], None),
        (["audio/*"], ""),
        (["audio/*, */*;q=0.1"], ""),
        (["audio/*;q=0.5, application/json"], None),
        (["application/json;q=0.5, audio/*"], ""),
        (["application/json;q=0.5", "audio/*"], ""),
        (["audio/*;q=0"], None),
        (["audio/*;q=nonsense"], None),
        (["audio/mpeg"], "mp3"),
        (["Audio/FLAC"], "flac"),
        (["audio/ogg; codecs=opus"], "ogg"),
        (["audio/x-wav"], "wav"),
        (["audio/mpeg;q=0.4, audio/flac;q=0.8"], "flac"),
        (["audio/unheard-of"], ""),
    ],
)
def test_the_most_wanted_kind_decides(accepts: list[str], expected: str | None) -> None:
    assert wanted_audio(accepts) == expected


def test_every_format_can_be_asked_for() -> None:
    asked = {wanted_audio([f"audio/{name}"]) for name in FORMATS}
    assert asked == set(FORMATS)
