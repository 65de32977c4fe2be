"""The store's findings and results, in words and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from tts_core.domain.errors import StudioError
from tts_core.models.store.reports import (
    Cleaned,
    Exported,
    Imported,
    Leftover,
    Moved,
    MovePlan,
    SourceUpdate,
    UpdateReport,
    UpdateState,
)
from tts_core.ui.widgets import download_words, fragments
from tts_core.ui.widgets.fragments import size
from tts_core.ui.words import Words

_ICONS = {UpdateState.UP_TO_DATE: "✓", UpdateState.UPDATE_AVAILABLE: "↑", UpdateState.UNKNOWN: "?"}
_SHOWN = 20
"""The most names in one list."""
_REVISION_SHOWN = 10
"""The characters of a commit's name that are shown."""


def failure(words: Words, error: StudioError) -> str:
    return fragments.alert(words("store.not_done"), download_words.fault(words, error.code, error.params))


def update_list(words: Words, reports: Sequence[UpdateReport], names: Mapping[str, str]) -> str:
    """The list of updates. `names`: of the models by key."""
    rows = []
    for report in reports:
        state = report.state
        badge = (
            f'<span class="studio-badge" data-state="{state.value}"><span aria-hidden="true">{_ICONS[state]}</span> '
            f"{words(f'store.update_{state.value}')}</span>"
        )
        sources = "".join(
            f"<dt>{escape(download_words.source_title(words, source.source))}</dt><dd>{_update(words, source)}</dd>"
            for source in report.sources
        )
        sources = sources or f"<dt></dt><dd>{words('store.update_nowhere')}</dd>"
        rows.append(f"<li><h4>{escape(names[report.key])} {badge}</h4><dl>{sources}</dl></li>")
    return f'<ul class="studio-updates">{"".join(rows)}</ul>' if rows else ""


def _update(words: Words, source: SourceUpdate) -> str:
    if source.state is UpdateState.UNKNOWN:
        return escape(download_words.fault(words, source.code, source.params))
    facts = {"revision": source.revision[:_REVISION_SHOWN], "files": ", ".join(source.differing)}
    return escape(words(f"store.revision_{source.state.value}", facts))


def leftover_list(words: Words, listed: Sequence[Leftover]) -> str:
    if not listed:
        return fragments.done(words("store.nothing_left"))
    rows = []
    for leftover in sorted(listed, key=lambda leftover: -leftover.bytes)[:_SHOWN]:
        why = words("store.leftover_recent" if leftover.is_recent else f"store.leftover_{leftover.kind.value}")
        path = escape(str(leftover.path))
        rows.append(f"<li><strong>{size(leftover.bytes)}</strong> {escape(why)}<br><code>{path}</code></li>")
    more = len(listed) - len(rows)
    rest = f"<li>{words('store.and_more', {'count': more})}</li>" if more else ""
    return f'<ul class="studio-files">{"".join(rows)}{rest}</ul>'


def cleaned(words: Words, done: Cleaned) -> str:
    html = fragments.done(words("store.cleaned", {"count": len(done.removed), "size": size(done.freed_bytes)}))
    return html + _named(words, "store.cleaned_kept", map(str, done.kept))


def move_plan(words: Words, plan: MovePlan) -> str:
    """The plan of a move: the room that it needs and finds, and how it goes."""
    facts = {"target": plan.target, "size": size(plan.total_bytes), "free": size(plan.free_bytes)}
    how = "store.plan_copied" if plan.is_copied else "store.plan_renamed"
    return f'<p class="studio-plan" role="status">{escape(words(how, facts))}</p>'


def moved(words: Words, done: Moved) -> str:
    html = fragments.done(words("store.moved", {"target": done.target}))
    if done.variable:
        facts = {"name": done.variable, "target": done.target}
        html += fragments.alert(words("store.restart_title"), words("store.moved_variable", facts))
    return html + _named(words, "store.moved_left", done.left)


def restart_needed(words: Words, target: Path) -> str:
    """The notice at the top of the tab after a move: what the tab shows is the old folder."""
    return fragments.alert(words("store.restart_title"), words("store.restart_info", {"target": target}))


def unfinished_move(words: Words, target: Path) -> str:
    return fragments.alert(words("store.unfinished_title"), words("store.unfinished_info", {"target": target}))


def exported(words: Words, done: Exported) -> str:
    return fragments.done(words("store.exported", {"size": size(done.total_bytes), "folder": done.folder}))


def imported(words: Words, name: str, done: Imported) -> str:
    if done.was_ready:
        return fragments.done(words("store.import_ready", {"model": name}))
    facts = {"model": name, "count": len(done.adopted), "missing": len(done.missing)}
    if not done.missing:
        return fragments.done(words("store.imported", facts))
    title = words("store.import_partly" if done.adopted else "store.import_nothing", facts)
    return fragments.alert(title, words("store.import_missing", {"files": ", ".join(done.missing[:_SHOWN])}))


def _named(words: Words, key: str, names: Iterable[str]) -> str:
    named = list(names)
    if not named:
        return ""
    rows = "".join(f"<li><code>{escape(name)}</code></li>" for name in named[:_SHOWN])
    return f'<p class="studio-hint">{words(key)}</p><ul class="studio-files">{rows}</ul>'
