"""The status page of `serve-all`: plain HTML that looks again by itself, without Gradio and without scripts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from starlette.datastructures import Headers

from tts_core.platform.paths import ASSETS_DIR
from tts_core.platform.supervision.service import ServiceState, ServiceStatus
from tts_core.ui.language import preferred_language
from tts_core.ui.page_head import HTML_TAGS
from tts_core.ui.words import Words, load_words

REFRESH_S = 3
COLUMNS = ("service", "state", "since", "restarts", "process", "address")


def services_page(headers: Headers, services: Sequence[ServiceStatus]) -> str:
    """The status page for a browser with these headers."""
    language = preferred_language(headers.get("cookie", ""), headers.get("accept-language", ""))
    words = load_words(language)
    style = "".join((ASSETS_DIR / name).read_text(encoding="utf-8") for name in ("login.css", "services.css"))
    head = "".join(f'<th scope="col">{escape(words(f"services.{column}"))}</th>' for column in COLUMNS)
    rows = "".join(_row(words, service) for service in services)
    return f"""<!doctype html>
<html lang="{HTML_TAGS[language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="{REFRESH_S}">
<title>{escape(words("services.title"))} · {escape(words("app.title"))}</title>
<style>{style}</style>
</head>
<body>
<main class="services">
<header><h1>{escape(words("app.title"))} · {escape(words("services.title"))}</h1></header>
<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>
<p class="note">{escape(words("services.note"))}</p>
</main>
</body>
</html>"""


def _row(words: Words, service: ServiceStatus) -> str:
    reason = f"<br><small>{escape(service.reason)}</small>" if service.reason else ""
    is_there = service.state in (ServiceState.HEALTHY, ServiceState.SILENT)
    address = escape(service.url)
    cells = (
        escape(service.name),
        f'<b class="{service.state.value}">{escape(words(f"services.{service.state.value}"))}</b>{reason}',
        escape(words("services.ago", {"duration": _duration(time.time() - service.since)})),
        str(service.restarts),
        "–" if service.pid is None else str(service.pid),
        f'<a href="{address}">{address}</a>' if is_there else address,
    )
    first, *others = cells
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'


def _duration(seconds: float) -> str:
    """The duration as a clock shows it: 0:05, 2:07:30."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
