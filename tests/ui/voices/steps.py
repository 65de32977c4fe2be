"""What people do on the Clone and Library tabs, and files as phones and browsers write them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from gradio_client import Client, handle_file
from playwright.sync_api import Page

from tests.ui.conftest import Visitor

RATE = 24_000


def opened(visitor: Visitor, tab: str) -> Page:
    page = visitor.open()
    page.click(f"#tab-{tab}-button")
    page.wait_for_selector("#clone-run:not([disabled])" if tab == "clone" else f"#{tab}-list :is(ul, .studio-empty)")
    return page


def box(page: Page, name: str, text: str) -> None:
    page.fill(f"#{name} :is(input, textarea)", text)


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#clone-file input[type=file]", str(path))
    page.wait_for_selector(".studio-coach")


def record(page: Page, seconds: int) -> None:
    """With the Clone tab's microphone, until its clock shows that many seconds; at most 9."""
    page.click("#clone-file .source-selection button >> nth=1")
    page.click("#clone-file button.record-button")
    page.wait_for_function(f"/0:0[{seconds}-9]/.test(document.querySelector('#clone-file').innerText)")
    page.wait_for_selector(f"studio-recorder[data-state={'short' if seconds < 5 else 'good'}]")
    page.click("#clone-file button.stop-button")
    page.wait_for_selector(".studio-coach")


def card(name: str) -> str:
    """Selector of a voice in the library."""
    return f"#library-list li:has(h2:text-is('{name}'))"


def act(page: Page, name: str, action: str) -> None:
    """Choose an act of a voice's menu."""
    page.click(f"{card(name)} [data-menu]")
    page.click(f"{card(name)} .studio-menu [data-action={action}]")


def edit(page: Page, name: str) -> None:
    """Open a voice's editor."""
    act(page, name, "settings")
    page.wait_for_function(
        "name => document.querySelector('#library-name :is(input, textarea)')?.value == name", arg=name
    )


def kept(client: Client, recording: Path, name: str) -> str:
    """Save a voice as programs do; its id."""
    saved, *_ = client.predict(
        name=name,
        file=handle_file(str(recording)),
        transcript="hello world",
        consent="own_voice",
        api_name="/save_voice",
    )
    assert saved["status"] == "ready"
    return str(saved["id"])


def write_m4a(path: Path, samples: npt.NDArray[np.float32], rate: int) -> Path:
    """As phones record."""
    return _encoded(path, samples, rate, ("ipod", "aac"))


def write_webm(path: Path, samples: npt.NDArray[np.float32], rate: int) -> Path:
    """As browsers record; `rate` is one of Opus."""
    return _encoded(path, samples, rate, ("webm", "libopus"))


def _encoded(path: Path, samples: npt.NDArray[np.float32], rate: int, kind: tuple[str, str]) -> Path:
    container, codec = kind
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        frame_size = stream.codec_context.frame_size or rate // 50
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate, frame_size=frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path
