"""The Design tab's messages as HTML: what a candidate is, how far the candidates are, which voice is locked."""

from __future__ import annotations

from html import escape

from tts_core.domain.values import Take
from tts_core.ui.design.candidates import COUNT, Lock, Step, VoiceCandidate
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words

UNLOCK = "unlock"
"""The key of the button that ends a lock."""


def head(words: Words, candidate: VoiceCandidate, number: int, lock: Lock | None) -> str:
    """The title of a candidate's card, with its length and seed."""
    is_locked = lock is not None and lock.candidate == candidate
    title = words("design.candidate", {"number": number})
    locked = f' <span class="studio-badge">{words("design.locked")}</span>' if is_locked else ""
    return f"<h3>{title}{locked}</h3>{_facts(words, candidate.take)}"


def take_head(words: Words, lock: Lock, take: Take) -> str:
    """The title of a take in the locked voice."""
    return f"<h3>{words('design.take', {'number': lock.number})}</h3>{_facts(words, take)}"


def _facts(words: Words, take: Take) -> str:
    facts = [words("time.seconds", {"seconds": f"{take.duration_s:.1f}"})]
    if take.seed is not None:
        facts.append(f"{words('speak.fact_seed')} {take.seed}")
    if take.stop_reason.value != "complete":
        facts.append(words(f"speak.facts_{take.stop_reason.value}"))
    return f'<p class="studio-hint">{escape(" · ".join(facts))}</p>'


def doing(words: Words, step: Step, lock: Lock | None) -> str:
    """A line about what is being made now, and which of how many it is."""
    if lock is not None:
        return fragments.busy(step.status)
    number = words("design.progress", {"number": step.number, "total": COUNT})
    return fragments.busy(f"{number} · {step.status}" if step.status else number)


def ended(words: Words, made: int, lock: Lock | None) -> str:
    """The outcome: all is made, or it was stopped before."""
    if lock is not None:
        return fragments.done(words("speak.facts_complete")) if made else fragments.hint(words("transcribe.stopped"))
    if made == COUNT:
        return fragments.done(words("design.made", {"total": COUNT}))
    return fragments.hint(words("design.stopped", {"count": made, "total": COUNT}))


def lock_line(words: Words, lock: Lock | None, names: dict[str, str]) -> str:
    """The line about what the lock does, with the button that ends it; "" where nothing is locked. `names`: the names
    of models by key."""
    if lock is None:
        return ""
    facts = {
        "number": lock.number,
        "seed": lock.candidate.form.seed,
        "model": escape(names.get(lock.model or "", lock.model or "")),
    }
    way = "clone" if lock.model else "seed" if lock.candidate.is_whole else "seed_unfinished"
    text = words(f"design.lock_by_{way}", facts)
    button = f'<button type="button" class="studio-small" data-action="{UNLOCK}">{words("design.unlock")}</button>'
    return f'<div class="studio-note studio-lock" role="status"><p>{text}</p>{button}</div>'
