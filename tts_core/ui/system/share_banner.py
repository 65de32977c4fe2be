"""The banner on the pages of admins while there is a public link: the link, what visitors can do by it, and a button
that ends it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.access.public_link import GUEST, Link, LinkState
from tts_core.services import Services
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words

STARTING_REFRESH_S = 1.0
OPEN_REFRESH_S = 10.0
CAN = ("speak", "clone", "design", "transcribe", "library", "rest")
CAN_NOT = ("models", "voices", "system")


@dataclass(frozen=True, slots=True)
class ShareBanner:
    message: gr.HTML
    stop: gr.Button
    timer: gr.Timer

    @property
    def outputs(self) -> list[Any]:
        return [self.message, self.stop, self.timer]


def render(words: Words) -> ShareBanner:
    with gr.Column(elem_classes="studio-share"):
        message = gr.HTML(js_on_load=None, elem_id="share-banner", elem_classes="studio-optional")
        stop = gr.Button(words("share.stop"), size="sm", visible=False, elem_id="share-stop")
    return ShareBanner(message, stop, gr.Timer(STARTING_REFRESH_S, active=False))


def wire(banner: ShareBanner, page: gr.Blocks, services: Services, words: Words) -> None:
    """Wire the banner. A timer shows changes that the page did not cause: a link comes late and may end."""

    def look() -> list[Any]:
        now = services.link.now
        starting = now.state is LinkState.STARTING
        return [
            link_html(words, now),
            gr.update(visible=now.state in (LinkState.STARTING, LinkState.OPEN)),
            gr.Timer(STARTING_REFRESH_S if starting else OPEN_REFRESH_S, active=now.state is not LinkState.OFF),
        ]

    def end_link() -> list[Any]:
        services.link.close()
        html, *rest = look()
        return [html or fragments.done(words("share.stopped")), *rest]

    page.load(look, None, banner.outputs, api_visibility="private", show_progress="hidden")
    banner.timer.tick(look, None, banner.outputs, queue=False, api_visibility="private", show_progress="hidden")
    banner.stop.click(end_link, None, banner.outputs, api_visibility="private", show_progress="hidden")


def link_html(words: Words, link: Link) -> str:
    """The banner's text as HTML; "" where there is nothing to say."""
    if link.state is LinkState.STARTING:
        return fragments.busy(words("share.starting"))
    if link.error is not None:
        return fragments.alert(words("share.failed"), words.error(link.error))
    if link.state is LinkState.OFF:
        return ""
    url = escape(link.url)
    copy = (
        f'<button type="button" class="studio-small" data-studio="copy" data-text="{url}" '
        f'data-done="{words("models.copied")}">{words("models.copy")}</button>'
    )
    account = words("share.guest", {"name": GUEST, "password": escape(link.password)}) if link.password else ""
    can = "".join(f"<li>✓ {words(f'share.can_{what}')}</li>" for what in CAN)
    cannot = "".join(f"<li>✕ {words(f'share.cannot_{what}')}</li>" for what in CAN_NOT)
    return (
        f'<section class="studio-note studio-shared" aria-label="{words("share.title")}"><div>'
        f"<p><strong>{words('share.title')}</strong> "
        f'<a href="{url}" target="_blank" rel="noreferrer">{url}</a> {copy}</p>'
        f"<p>{account or words('share.accounts')}</p>"
        f"<details><summary>{words('share.exposed')}</summary><ul>{can}</ul><ul>{cannot}</ul>"
        f"<p>{words('share.carrier')}</p></details></div></section>"
    )
