"""The card with a sentence to read aloud: who reads it knows the transcript of the recording already."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.ui.clone.sentences import LANGUAGES, TAGS, Sentence
from tts_core.ui.transcribe.button import Filled, TranscribeButton
from tts_core.ui.widgets.scripts import ACTIONS
from tts_core.ui.words import Words

CHOOSE, ANOTHER = "choose", "another"
"""The keys of the card's buttons."""


@dataclass(frozen=True, slots=True)
class SentenceCard:
    language: gr.Dropdown
    card: gr.HTML
    sentence: gr.State


def render(words: Words) -> SentenceCard:
    """Render the card; the first sentence is in the page's language."""
    first = Sentence("chinese" if words.language == "zh" else "english")
    with gr.Column(elem_classes="studio-sentence"):
        language = gr.Dropdown(
            [(words.get(f"language.{name}", name.title()), name) for name in LANGUAGES],
            value=first.language,
            label=words("sentence.title"),
            elem_id="clone-sentence-language",
        )
        card = gr.HTML(card_html(words, first, ""), js_on_load=ACTIONS, elem_id="clone-sentence")
    return SentenceCard(language, card, gr.State(first))


def wire(shown: SentenceCard, transcript: gr.Textbox, transcribe: TranscribeButton, words: Words) -> None:
    """Wire the card. A chosen sentence becomes the transcript; what was typed there can be brought back."""

    def switched(language: str, transcript: str) -> list[Any]:
        sentence = Sentence(language if language in LANGUAGES else LANGUAGES[0])
        return [sentence, card_html(words, sentence, transcript)]

    def pressed(event: gr.EventData, sentence: Sentence, filled: Filled, transcript: str) -> list[Any]:
        return press(words, event.action, sentence, filled, transcript)

    def compared(sentence: Sentence, transcript: str) -> str:
        return card_html(words, sentence, transcript)

    shown.language.input(
        switched,
        [shown.language, transcript],
        [shown.sentence, shown.card],
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    shown.card.click(
        pressed,
        [shown.sentence, transcribe.filled, transcript],
        [shown.sentence, shown.card, transcript, transcribe.filled, transcribe.status],
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    transcript.change(
        compared,
        [shown.sentence, transcript],
        shown.card,
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )


def press(words: Words, action: str, sentence: Sentence, filled: Filled, transcript: str) -> list[Any]:
    """Updates for sentence, card, transcript, filled and the transcript's status."""
    if action != CHOOSE:
        following = sentence.following()
        return [following, card_html(words, following, transcript), gr.skip(), gr.skip(), gr.skip()]
    text = sentence.text
    is_own = transcript.strip() not in ("", filled.text, text)
    undo = f'<button type="button" class="studio-small" data-action="undo">{words("transcribe.undo")}</button>'
    status = f"<p>{words('sentence.replaced')} {undo}</p>" if is_own else ""
    return [sentence, card_html(words, sentence, text), text, Filled(text, transcript), status]


def card_html(words: Words, sentence: Sentence, transcript: str) -> str:
    """The sentence with its buttons; one that is the transcript already says so."""
    another = _button(words, ANOTHER)
    is_chosen = transcript.strip() == sentence.text
    choose = f'<span role="status">✓ {words("sentence.chosen")}</span>' if is_chosen else _button(words, CHOOSE)
    quote = f'<blockquote lang="{TAGS[sentence.language]}">{escape(sentence.text)}</blockquote>'
    return f"{quote}<div>{choose}{another}</div>"


def _button(words: Words, action: str) -> str:
    return f'<button type="button" class="studio-small" data-action="{action}">{words(f"sentence.{action}")}</button>'
