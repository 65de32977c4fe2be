"""Where a text is parted: at the ends of sentences, never after an abbreviation."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from tts_core.domain.sentences import split_sentences, without_inner_stops
from tts_core.domain.text import clean

any_text = st.text(max_size=400)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("你好。今天好吗？好！", ["你好。", "今天好吗？", "好！"]),
        ("他说：“走吧！”然后走了。", ["他说：“走吧！”", "然后走了。"]),
        ("Pi is 3.14 today. Yes.", ["Pi is 3.14 today.", "Yes."]),
        ("Dr. Smith met J. Doe. They left.", ["Dr. Smith met J. Doe.", "They left."]),
        ("We sell tea, e.g. green. Good.", ["We sell tea, e.g. green.", "Good."]),
        ('"Stop!" She ran.', ['"Stop!"', "She ran."]),
        ("क्या हाल है? ठीक है। चलो।", ["क्या हाल है?", "ठीक है।", "चलो।"]),
        ("क्या?। ठीक।", ["क्या?।", "ठीक।"]),
        ("کیا؟؟ ہاں۔۔ آؤ", ["کیا؟؟", "ہاں۔۔", "آؤ"]),
        ("Այո։։ Ոչ։", ["Այո։։", "Ոչ։"]),
        ("राम॥॥ श्याम॥", ["राम॥॥", "श्याम॥"]),
        ("真的？！？！好。。。", ["真的？！？！", "好。。。"]),
        ("Really?!؟ Yes.", ["Really?!؟", "Yes."]),
        ("See No. 5 now. Say no. Yes.", ["See No. 5 now.", "Say no.", "Yes."]),
        ("Prof. Green of St. Louis. He left.", ["Prof. Green of St. Louis.", "He left."]),
        ("Fruit, e.g. The apple. Good.", ["Fruit, e.g. The apple.", "Good."]),
        ("J. K. Rowling met J.R.R. Tolkien. Yes.", ["J. K. Rowling met J.R.R. Tolkien.", "Yes."]),
        ("So did I. Then he left.", ["So did I.", "Then he left."]),
        ("Henry I. Tudor left. Yes.", ["Henry I. Tudor left.", "Yes."]),
        ("It begins at 5 p.m. The door opens.", ["It begins at 5 p.m.", "The door opens."]),
        ("Tea, milk, etc. Then cake.", ["Tea, milk, etc.", "Then cake."]),
        ("See Fig. 3 and p. 5. Green et al. (2020) agree.", ["See Fig. 3 and p. 5.", "Green et al. (2020) agree."]),
        ("Get v1.2.3 at https://a.b/c?d=1. Then go.", ["Get v1.2.3 at https://a.b/c?d=1.", "Then go."]),
        ("Well… maybe. Well… Maybe.", ["Well… maybe.", "Well…", "Maybe."]),
        ("Wait... What? Oh.", ["Wait...", "What?", "Oh."]),
        ("Am 3. Oktober kam Dr. Groß, z. B. Äpfel. Ja.", ["Am 3. Oktober kam Dr. Groß, z. B. Äpfel.", "Ja."]),
        ("M. le président, p.ex. Hugo. Été.", ["M. le président, p.ex. Hugo.", "Été."]),
        ("El Sr. García y la Dra. Ruiz. Sí.", ["El Sr. García y la Dra. Ruiz.", "Sí."]),
        ("А. С. Пушкин, т. е. поэт, ул. Ленина. Да.", ["А. С. Пушкин, т. е. поэт, ул. Ленина.", "Да."]),
        ("Он жил в 1990 г. в Москве и т. д. сам.", ["Он жил в 1990 г. в Москве и т. д. сам."]),
        ("გამარჯობა. როგორ ხარ.", ["გამარჯობა.", "როგორ ხარ."]),
        ("جاء د. محمد. ثم ذهب.", ["جاء د. محمد.", "ثم ذهب."]),
        ("डॉ. शर्मा आए. वे गए।", ["डॉ. शर्मा आए.", "वे गए।"]),
        ("No end", ["No end"]),
        ("Well. ... Fine.", ["Well. ...", "Fine."]),
        ("...", []),
    ],
)
def test_sentences_end_where_a_reader_pauses(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, max_chars=200) == sentences


def test_a_long_sentence_parts_at_a_comma_before_a_space_before_anywhere() -> None:
    assert split_sentences("one two, three four five", max_chars=14) == ["one two,", "three four", "five"]
    assert split_sentences("abcdefghij", max_chars=4) == ["abcd", "efgh", "ij"]


def test_an_address_is_not_parted_at_its_colon() -> None:
    assert split_sentences("see https://example.org now", max_chars=20) == ["see", "https://example.org", "now"]


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Prof. Green of St. Louis, No. 5.", "Prof Green of St Louis, No 5."),
        ("Fruit, e.g. The apple.", "Fruit, e.g The apple."),
        ("J. K. Rowling, v1.2 of 3.5.", "J K Rowling, v1.2 of 3.5."),
        ("Say no. I will.", "Say no. I will."),
        ("Am 3. Oktober", "Am 3. Oktober"),
    ],
)
def test_full_stops_that_end_nothing_are_left_out_for_synthesizers_that_pause_at_each(sentence: str, said: str) -> None:
    assert without_inner_stops(sentence) == said


@given(any_text, st.integers(min_value=1, max_value=50))
def test_splitting_keeps_every_letter_in_order_and_no_sentence_is_too_long(text: str, max_chars: int) -> None:
    text = clean(text)
    sentences = split_sentences(text, max_chars=max_chars)
    assert all(len(sentence) <= max_chars for sentence in sentences)
    assert _letters("".join(sentences)) == _letters(text)


def _letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())
