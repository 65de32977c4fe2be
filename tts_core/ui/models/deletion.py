"""The question before a model is deleted: what goes, what the disk gets back, what stays."""

from __future__ import annotations

from html import escape
from itertools import count

from tts_core.models.store.reports import Removal
from tts_core.ui.models.view import Action
from tts_core.ui.widgets.fragments import size
from tts_core.ui.words import Words

_ASKED = count(1)
"""A counter that makes each question unlike the last one: the page must see a change when the same is asked again."""


def deletion_dialog(words: Words, name: str, removal: Removal) -> str:
    """The question as a dialog; assets/scripts/confirm.js opens it and sends the answer."""
    facts = [words("models.delete_frees", {"size": size(removal.freed_bytes)})]
    if removal.shared_bytes:
        facts.append(words("models.delete_shared", {"size": size(removal.shared_bytes)}))
    if removal.left:
        facts.append(words("models.delete_left", {"count": len(removal.left)}))
    facts.append(words("models.delete_again"))
    return (
        f'<dialog class="studio-dialog" aria-labelledby="studio-question" data-action="{Action.DELETE.value}" '
        f'data-key="{removal.key}" data-asked="{next(_ASKED)}"><form method="dialog">'
        f'<h3 id="studio-question">{escape(words("models.delete_question", {"model": name}))}</h3>'
        f"{''.join(f'<p>{escape(fact)}</p>' for fact in facts)}"
        '<div class="studio-model-buttons">'
        f'<button value="no" class="studio-button" autofocus>{words("models.keep")}</button>'
        f'<button value="yes" class="studio-button studio-danger">{words("action.delete")}</button>'
        "</div></form></dialog>"
    )
