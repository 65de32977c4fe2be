"""Facts to small pieces of HTML. Everything that comes from a user, a disk or a model is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from tts_core.models.cached_model import CachedModel
from tts_core.models.status import BackgroundCheck
from tts_core.platform.acceleration import Acceleration
from tts_core.platform.settings.compute import THREADS_VARIABLE, WHOLE_NUMBERS
from tts_core.platform.settings.studio import Settings
from tts_core.platform.system import Folder, Memory
from tts_core.ui.words import Words

LICENCES = {
    "hibari-tts": "Apache-2.0",
    "onnxruntime": "MIT",
    "espeak-ng": "GPL-3.0-or-later",
    "piper-tts": "GPL-3.0-or-later",
    "faster-whisper": "MIT",
    "CTranslate2": "MIT",
}
"""The licences of what speaks and listens besides the models, by the names that people look for."""


def header(words: Words, other_page: str, logout: str = "") -> str:
    """`other_page` is the address that switches to the other language; `logout`: the one that logs out, or ""."""
    leave = (
        f'<form method="post" action="{logout}"><button class="studio-chip">{words("login.logout")}</button></form>'
        if logout
        else ""
    )
    switch = words("app.switch_language")
    return f"""
<header class="studio-header">
  <div class="studio-brand">
    <svg viewBox="0 0 32 32" width="34" height="34" aria-hidden="true"><rect width="32" height="32" rx="9"/>
      <path d="M8 13v6M13 9v14M18 12v8M23 7v18" stroke-width="2.6" stroke-linecap="round"/></svg>
    <div><h1>{words("app.title")}</h1><p>{words("app.tagline")}</p></div>
  </div>
  <nav>
    <a class="studio-chip" href="{other_page}" aria-label="{words("app.switch_language_label")}">{switch}</a>
    <button type="button" class="studio-chip" data-studio="theme" aria-label="{words("app.switch_theme")}">◐</button>
    {leave}
  </nav>
</header>"""


def kept_section(words: Words) -> str:
    """A word about what the browser keeps, and the button that makes it forget; see assets/scripts/remember.js."""
    question = escape(words("system.forget_question"))
    button = f'<button type="button" class="studio-small" data-studio="forget" data-question="{question}">'
    body = f"<p>{words('system.kept')}</p>{button}{words('system.forget')}</button>"
    return _section(words("system.kept_title"), body)


def footer(words: Words, docs_url: str) -> str:
    key = "guest.footer" if words.is_for_guests else "app.footer"
    return f'<footer class="studio-footer">{words(key, {"api": docs_url})}</footer>'


def note(html: str, link_text: str, tab_id: str) -> str:
    """A remark with one button that leads to a tab."""
    return (
        f'<div class="studio-note"><p>{html}</p>'
        f'<button type="button" class="studio-link" data-studio="tab" data-tab="{tab_id}">{link_text} →</button></div>'
    )


def missing(words: Words, key: str) -> str:
    """A line about a model that is not ready, with the way to get it; guests can't get one."""
    return to_models(words, words(f"{key}_for_guests" if words.is_for_guests else key))


def to_models(words: Words, html: str) -> str:
    """A remark with a button that leads to the Models tab, which guests don't have."""
    if words.is_for_guests:
        return f'<div class="studio-note"><p>{html}</p></div>'
    return note(html, words("speak.to_models"), "tab-models")


def hint(text: str) -> str:
    return f'<p class="studio-hint">{escape(text)}</p>' if text else ""


def done(text: str) -> str:
    """A message about what has been done; a screen reader says it."""
    return f'<p class="studio-done" role="status">✓ {escape(text)}</p>'


def busy(text: str) -> str:
    pulse = '<span class="studio-pulse" aria-hidden="true"></span>'
    return f'<p class="studio-status" role="status">{pulse}{escape(text)}</p>'


def progress(text: str, percent: float, *, label: str, is_spoken: bool = True) -> str:
    """A bar with a sentence, which a screen reader says unless its numbers move all the time."""
    role = ' role="status"' if is_spoken else ""
    return (
        f'<div class="studio-progress" data-look="downloading"><div role="progressbar" aria-label="{escape(label)}"'
        f' aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent:.0f}"><i style="width:{percent:.1f}%"></i>'
        f"</div><p><span{role}>{escape(text)}</span></p></div>"
    )


def alert(title: str, text: str) -> str:
    return f'<div class="studio-alert" role="alert"><strong>! {escape(title)}</strong><p>{escape(text)}</p></div>'


def path_line(text: str, label: str, path: Path) -> str:
    return (
        f'<p class="studio-path-line"><strong>{escape(text)}</strong>'
        f"<span>{escape(label)} <code>{escape(str(path))}</code></span></p>"
    )


def background_line(words: Words, check: BackgroundCheck, names: dict[str, str]) -> str:
    """A line while models are being read in the background, else nothing."""
    if not check.running or check.key is None:
        return ""
    percent = round(100 * check.done_bytes / check.total_bytes) if check.total_bytes else 0
    return busy(words("models.background", {"model": names[check.key], "percent": percent}))


def device_section(words: Words, acceleration: Acceleration | None, settings: Settings) -> str:
    if acceleration is None:
        return _section(words("system.device"), busy(words("system.device_checking")))
    reasons = "".join(f"<p>{escape(words.fact('reason', reason))}</p>" for reason in acceleration.reasons)
    name = acceleration.gpu.name if acceleration.gpu else acceleration.preferred_device.upper()
    if settings.threads is None:
        threads = words("system.threads_auto", {"threads": acceleration.processor.threads})
    else:
        threads = words("system.threads_chosen", {"threads": settings.threads, "name": THREADS_VARIABLE})
    facts = {"threads": threads, "wait_policy": settings.wait_policy or words("system.wait_unset")}
    if settings.precision_now() in WHOLE_NUMBERS and not acceleration.supported:
        facts["codec"] = "bfloat16" if acceleration.processor.fast_bfloat16 else "float32"
    rows = _definitions((words(f"system.{name}"), value) for name, value in facts.items())
    return _section(words("system.device"), f"<strong>{escape(name)}</strong>{reasons}{rows}")


def loaded_models(words: Words, models: Sequence[CachedModel]) -> str:
    """The models in memory, each with a button to unload it; the button's key is KIND/KEY."""
    rows = "".join(f"<dt>{_model_name(words, model)}</dt><dd>{_loaded(words, model)}</dd>" for model in models)
    body = f"<dl>{rows}</dl>" if rows else f"<p>{words('system.none_loaded')}</p>"
    return _section(words("system.loaded"), body)


def _model_name(words: Words, model: CachedModel) -> str:
    """The model's name, with its kind where the name alone does not tell it."""
    return escape(words.get(f"loaded.{model.kind}", "{name}").format(name=model.name))


def _loaded(words: Words, model: CachedModel) -> str:
    if not model.is_loaded:
        if not model.done_bytes:  # some kinds are read at one go
            return words("system.loading_begins")
        return words("system.loading", {"percent": round(100 * model.done_bytes / model.total_bytes)})
    facts = [size(model.memory_bytes), escape(str(model.device).upper())]
    if model.device_reason:
        facts.append(words("system.not_the_card", {"reason": escape(model.device_reason)}))
    if model.warming is not None:
        done, total = model.warming
        facts.append(words("system.warming", {"done": done, "total": total}))
    if model.users:
        facts.append(words("system.in_use", {"users": model.users}))
    elif model.unload_in_s is not None:
        facts.append(words("system.leaves", {"time": duration(words, model.unload_in_s)}))
    unload = escape(words("system.unload"))
    button = (
        f'<button type="button" class="studio-small" data-action="unload" '
        f'data-key="{escape(model.kind)}/{escape(model.key)}" aria-label="{unload}: {_model_name(words, model)}">'
        f"{unload}</button>"
    )
    return f"{' · '.join(facts)} {button}"


def memory_section(words: Words, memory: Memory) -> str:
    facts = {
        "memory_process": memory.process,
        "memory_available": memory.available,
        "memory_total": memory.total,
        "disk_free": memory.disk_free,
    }
    return _section(
        words("system.memory"), _definitions((words(f"system.{name}"), size(value)) for name, value in facts.items())
    )


def versions_section(words: Words, versions: dict[str, str]) -> str:
    return _section(words("system.versions"), _definitions(versions.items()))


def licences() -> str:
    return _definitions(LICENCES.items())


def folders_section(words: Words, folders: Iterable[Folder], keep_days: float) -> str:
    rows = []
    for folder in folders:
        remark = "" if folder.exists else words("system.folder_missing")
        remark = remark if folder.writable else words("system.folder_read_only")
        label = words(f"folder.{folder.name}", {"days": f"{keep_days:g}"})
        rows.append(f"<dt>{label}</dt><dd><code>{escape(str(folder.path))}</code> <small>{remark}</small></dd>")
    return _section(words("system.folders"), f"<dl>{''.join(rows)}</dl>")


def size(count: int) -> str:
    """The size in decimal units, as disks and hubs state it."""
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB" if count else "0"
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def duration(words: Words, seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 60:
        return words("time.seconds", {"seconds": whole})
    if whole < 3600:
        return words("time.minutes", {"minutes": round(whole / 60)})
    return words("time.hours", {"hours": whole // 3600, "minutes": whole % 3600 // 60})


def _section(title: str, body: str) -> str:
    return f'<section class="studio-section"><h2>{title}</h2>{body}</section>'


def _definitions(pairs: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs) + "</dl>"
