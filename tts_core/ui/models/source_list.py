"""The sources as HTML, in the order in which a download asks them: address, why it stands there, how fast it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from html import escape

from tts_core.models.download_task import SourceId
from tts_core.models.downloads.hubs.ordering import Candidate
from tts_core.ui.widgets.download_words import source_title
from tts_core.ui.words import Words


class SourceMove(str, Enum):
    """The requests of a row's buttons."""

    UP = "up"
    DOWN = "down"


def source_list(
    words: Words, standing: Sequence[Candidate], latencies: Mapping[SourceId, float] | None, *, can_move: bool
) -> str:
    """The list as HTML. `latencies`: as measured by the last test; None if there was none."""
    last = len(standing) - 1
    rows = []
    for place, candidate in enumerate(standing):
        steps = {SourceMove.UP: can_move and place > 0, SourceMove.DOWN: can_move and place < last}
        buttons = "".join(_button(words, candidate.hub.id, step, is_offered=steps[step]) for step in SourceMove)
        rows.append(
            f'<li data-source="{candidate.hub.id}"><div><h3>{place + 1}. {_name(words, candidate.hub.id)}</h3> '
            f"<code>{escape(candidate.hub.endpoint)}</code>"
            f"<p>{escape(why(words, candidate, latencies))}</p></div>"
            f'<div class="studio-model-buttons">{buttons}</div></li>'
        )
    label = escape(words("sources.list"))
    return f'<ol class="studio-sources" aria-label="{label}">{"".join(rows)}</ol>'


def why(words: Words, candidate: Candidate, latencies: Mapping[SourceId, float] | None) -> str:
    """The reason for a source's place, and what the last test measured."""
    reason = words(f"sources.why_{candidate.reason}")
    measured = (latencies or {}).get(candidate.hub.id)
    if measured is not None:
        milliseconds = max(1, round(measured * 1000))
        return words("sources.joined", {"why": reason, "test": words("sources.answered", {"ms": milliseconds})})
    if latencies is None or candidate.reason in ("unreachable", "not_published"):
        return reason
    return words("sources.joined", {"why": reason, "test": words("sources.no_answer")})


def _name(words: Words, source: str) -> str:
    return escape(source_title(words, source))


def _button(words: Words, source: str, step: SourceMove, *, is_offered: bool) -> str:
    label = words(f"sources.{step.value}")
    return (
        f'<button type="button" class="studio-small" data-action="{step.value}" data-key="{source}" '
        f'aria-label="{escape(label)}: {_name(words, source)}"{"" if is_offered else " hidden"}>'
        f"{escape(label)}</button>"
    )
