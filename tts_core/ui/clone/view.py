"""The Clone tab's messages as HTML: the coach's findings, the likeness of a take, how far a saved voice is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from tts_core.audio.judging import ClipReport, Finding, FindingCode, Severity
from tts_core.domain.errors import Cancelled
from tts_core.engines.qwen.voice_check import Likeness
from tts_core.platform.job import Job, JobState
from tts_core.ui.clone.handler import Desk
from tts_core.ui.transcribe import words as transcribe_words
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words
from tts_core.voices.record import SavedVoice

REVERT, DROP, RESTORE = "revert", "drop", "restore"
"""The keys of the buttons that undo all mending, that drop the kept recordings, and that bring a removed recording
back; the keys of the others are Fixes."""
_OF_SPEECH = ("level", "noise", "silence")
"""The meters that mean something only where somebody speaks."""
_MEASURED_BY: Mapping[FindingCode, str] = {
    "no_speech": "speech",
    "too_short": "speech",
    "short": "speech",
    "long": "length",
    "quiet": "level",
    "loud": "level",
    "clipped": "clipping",
    "noisy": "noise",
    "pauses": "silence",
    "narrow_band": "rate",
}


def coach(words: Words, desk: Desk, unlike: str = "") -> str:
    """The quality of the recording, and what would make it better; "" where there is no recording.

    `unlike`: Whisper's code of the language that the clone is to speak, if the recording is in another one.
    """
    report = desk.report
    if report is None:
        return (_kept(words, desk) if desk.kept else "") + removed(words, desk)
    look = "problem" if not report.is_good else "advice" if report.findings or unlike else "good"
    icon = {"good": "✓", "advice": "◐", "problem": "!"}[look]
    undo = _button(words, REVERT) if desk.is_mended else ""
    cut = f"<li>{_mark(None)}<span>{words('clone.was_cut')}</span></li>" if desk.was_cut else ""
    findings = cut + "".join(_finding(words, finding) for finding in report.findings)
    if unlike:
        tip = transcribe_words.language_tip(words, desk.language, unlike)
        findings += f'<li data-look="advice">{_mark(Severity.ADVICE)}<span>{escape(tip)}</span></li>'
    return (
        f'<section class="studio-coach" data-look="{look}" aria-live="polite"><header>'
        f'<strong><span aria-hidden="true">{icon}</span> {words(f"coach.{look}")}</strong>{undo}</header>'
        f'<dl class="studio-meters">{_meters(words, report)}{_language(words, desk, unlike)}</dl>'
        f'<ul class="studio-findings">{findings}</ul></section>'
    )


def removed(words: Words, desk: Desk) -> str:
    """The offer to bring a removed recording back; "" where none was removed."""
    if desk.removed is None:
        return ""
    return f'<p class="studio-hint">{words("clone.removed")} {_button(words, RESTORE)}</p>'


def _kept(words: Words, desk: Desk) -> str:
    return f"{fragments.hint(words('clone.kept', {'count': len(desk.kept)}))}<p>{_button(words, DROP)}</p>"


def likeness(words: Words, found: Likeness) -> str:
    """The likeness of a take, for information: one number with how to read it, and a warning where the start is not
    clean."""
    percent = round(100 * max(0.0, min(1.0, found.similarity)))
    leak = f'<p class="studio-leak" role="alert"><strong>!</strong> {words("likeness.leak")}</p>'
    clean = f"<p>✓ {words('likeness.clean')}</p>"
    return (
        f'<section class="studio-likeness"><p><strong>{words("likeness.title")}</strong>'
        f'<span class="studio-gauge" aria-hidden="true"><i style="width:{percent}%"></i></span>'
        f"<b>{found.similarity:.2f}</b></p><p>{words('likeness.info')}</p>{leak if found.has_leak else clean}</section>"
    )


def job_state(words: Words, job: Job) -> str:
    """A sentence about what the job does or why it ended."""
    if job.state is JobState.WAITING:
        return words("job.waiting", {"position": job.position})
    if job.state is JobState.RUNNING:
        return words.get(f"phase.{job.phase}", words("job.running"))
    if job.state is JobState.ERROR and job.code != Cancelled.code:
        return words.explain("error", job.code, job.params, job.message)
    return words(f"job.{job.state.value}")


def saving(words: Words, voice: SavedVoice, job: Job) -> str:
    """The state of a voice that is being saved: its progress, then where to go on."""
    if not job.state.is_over:
        return fragments.progress(job_state(words, job), job.progress, label=voice.name)
    name = {"name": escape(voice.name)}
    if job.state is JobState.DONE:
        use = (
            f'<button type="button" class="studio-link" data-action="use" data-event="select" data-key="{voice.id}">'
            f"{words('saved.to_speak')} →</button>"
        )
        links = use + _jump(words("saved.to_library"), "tab-library")
        done = f"<strong>✓ {words('saved.ready', name)}</strong>"
        return f'<div class="studio-saved" role="status">{done}<p>{links}</p></div>'
    text = f"{job_state(words, job)} {words('saved.kept')}"
    return fragments.alert(words("saved.not_ready"), text) + _jump(words("saved.to_library"), "tab-library")


def _jump(text: str, tab: str) -> str:
    return f'<button type="button" class="studio-link" data-studio="tab" data-tab="{tab}">{text} →</button>'


def _meters(words: Words, report: ClipReport) -> str:
    values = {
        "length": f"{report.duration_s:.1f} s",
        "speech": f"{report.speech_s:.1f} s",
        "level": f"{report.level_db:.0f} dB",
        "noise": f"{report.snr_db:.0f} dB",
        "clipping": words("coach.none") if report.clipped_share == 0 else f"{100 * report.clipped_share:.2f} %",
        "silence": f"{100 * report.silence_share:.0f} %",
        "rate": f"{report.sample_rate / 1000:g} kHz",
    }
    worst: dict[str, Severity] = {}
    for finding in reversed(report.findings):
        worst[_MEASURED_BY.get(finding.code, "")] = finding.severity
    if report.speech_s == 0:  # level and distance from noise mean nothing without speech
        values = {name: value for name, value in values.items() if name not in _OF_SPEECH}
    return "".join(
        f'<div data-look="{worst[name].value if name in worst else "good"}"><dt>{words(f"coach.{name}")}</dt>'
        f"<dd>{_mark(worst.get(name))}{escape(value)}</dd></div>"
        for name, value in values.items()
    )


def _language(words: Words, desk: Desk, unlike: str) -> str:
    if not desk.language:
        return ""
    severity = Severity.ADVICE if unlike else None
    name = escape(transcribe_words.language_name(words, desk.language))
    look = severity.value if severity else "good"
    return f'<div data-look="{look}"><dt>{words("coach.language")}</dt><dd>{_mark(severity)}{name}</dd></div>'


def _mark(severity: Severity | None) -> str:
    icon = "✓" if severity is None else "!" if severity is Severity.PROBLEM else "◐"
    return f'<span class="studio-mark" aria-hidden="true">{icon}</span> '


def _finding(words: Words, finding: Finding) -> str:
    text = escape(words.explain("finding", finding.code, finding.params, finding.message))
    fix = _button(words, finding.fix.value) if finding.fix else ""
    return f'<li data-look="{finding.severity.value}">{_mark(finding.severity)}<span>{text}</span>{fix}</li>'


def _button(words: Words, action: str) -> str:
    return f'<button type="button" class="studio-small" data-action="{action}">{words(f"fix.{action}")}</button>'
