"""The findings of the last look at one model's folder, as HTML, and the next step."""

from __future__ import annotations

from html import escape

from tts_core.models.status import ModelStatus, Verification
from tts_core.ui.models.list import badge
from tts_core.ui.models.view import Look, ModelView
from tts_core.ui.words import Words


def model_details(words: Words, view: ModelView) -> str:
    status, look = view.status, view.look
    name = escape(status.entry.display_name)
    parts = [f"<h3>{name} {badge(words, look)}{_verification(words, status)}</h3>", _advice(words, view)]
    missing = [f"<code>{escape(path)}</code>" for path in status.missing]
    if look in (Look.INCOMPLETE, Look.BROKEN):
        parts.append(_list(words("models.missing"), missing))
    problems = [escape(words.problem(problem)) for problem in status.problems]
    parts.append(_list(words("models.problems"), problems))
    parts.append(_list(words("models.hints"), [escape(words.fact("hint", item)) for item in status.hints]))
    parts.append(f'<p class="studio-path"><code>{escape(str(status.path))}</code></p>')
    if repositories := " · ".join(dict.fromkeys(filter(None, (status.entry.hf, status.entry.modelscope)))):
        parts.append(f"<p>{words('models.repository')} <code>{escape(repositories)}</code></p>")
    return f'<section class="studio-details" aria-live="polite">{"".join(parts)}</section>'


def _advice(words: Words, view: ModelView) -> str:
    """The next step to take. A download that runs or waits shows it itself, in the list."""
    if view.look.is_active or view.look in (Look.PAUSED, Look.FAILED):
        return f"<p>{words('models.next_above')}</p>"
    step = view.status.next_step.value
    return f"<p>{escape(words(f'models.next_{step}', {'count': len(view.entry.files)}))}</p>"


def _verification(words: Words, status: ModelStatus) -> str:
    if status.verification is Verification.NONE:
        return ""
    return f" <small>{words(f'verification.{status.verification.value}')}</small>"


def _list(title: str, items: list[str]) -> str:
    return f"<h4>{title}</h4><ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""
