"""Letters and digits of every style are said as what they are."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from tts_core.domain.letters import spoken_forms


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("共１２３页，ＡＢＣ！", "共123页，ABC！"),
        ("𝐇𝐞𝐥𝐥𝐨 𝒘𝒐𝒓𝒍𝒅 𝟘𝟙 ᴴᵉʸ 🅗🅘 🅰", "Hello world 01 Hey HI A"),
        ("２０℃，５０％＋￥５", "20°C，50%+¥5"),
        ("ﬁne ﬂow Ⅳ ㎏ ㍿", "fine flow IV kg 株式会社"),
        ("①打开❷关 10③ ⑽ Ⓐ ㊗", "1打开2关 10 3 (10) A 祝"),
        ("１２：３０ １，０００ １，２ ３．５ ｅｘ．ｏｒｇ", "12:30 1,000 1，2 3.5 ex.org"),
        ("ｶﾞｷﾞ｡ ﻣﺮﺣﺒﺎ", "ガギ。 مرحبا"),
        ("well‑known H₂O", "well-known H2O"),
    ],
)
def test_styled_letters_and_digits_become_plain_ones(written: str, said: str) -> None:
    assert spoken_forms(written) == said


@pytest.mark.parametrize(
    "text", ["你好，世界！（好）：“走吧”…", "½ m² 10⁶ 2⅔", "№ 5™ 1º", "ㄱㄴ", "5～10", "ﷺ", "café", "👍🏽"]
)
def test_what_is_said_well_as_it_is_stays(text: str) -> None:
    assert spoken_forms(text) == text


@given(st.text(max_size=300))
def test_plain_text_stays_and_nothing_changes_twice(text: str) -> None:
    plain = spoken_forms(text)
    assert spoken_forms(plain) == plain
    if text.isascii():
        assert plain == text
    assert unicodedata.is_normalized("NFC", plain)
