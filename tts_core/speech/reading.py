"""A text as a voice reads it aloud: the same for every engine, and for whoever compares what was said with it."""

from __future__ import annotations

from tts_core.domain.letters import spoken_forms
from tts_core.domain.text import clean
from tts_core.domain.values import ReadAs
from tts_core.speech.markdown import read_markdown


def text_to_say(text: str, read_as: ReadAs) -> str:
    """`text` without the signs that are not said, in plain letters and digits.

    >>> text_to_say("**共１２页**", ReadAs.MARKDOWN)
    '共12页'
    """
    return spoken_forms(clean(read_markdown(text) if read_as is ReadAs.MARKDOWN else text))
