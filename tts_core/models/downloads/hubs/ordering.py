"""The hubs, and the order in which a download tries them."""

from __future__ import annotations

import locale
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

import tts_core
from tts_core.domain.engine import CancelCheck
from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_faults import Interrupted, Offline
from tts_core.models.download_task import HUBS, Provider, SourceId
from tts_core.models.downloads.hub import Hub
from tts_core.models.downloads.hubs.hugging_face import HuggingFaceHub
from tts_core.models.downloads.hubs.listings import LISTING_S, no_login
from tts_core.models.downloads.hubs.modelscope import ModelScopeHub
from tts_core.platform.settings.sources import SourceSettings

logger = logging.getLogger(__name__)

PROBE_S = 3.0
_CANCEL_CHECK_S = 0.1
_NEAR = ("modelscope", "mirror", "hf")
"""The hubs as seen from mainland China, nearest first."""
_HANDICAP_S: Mapping[bool, Mapping[str, float]] = {
    True: {"modelscope": 0.0, "mirror": 0.05, "hf": 0.3},
    False: {"hf": 0.0, "mirror": 0.05, "modelscope": 0.05},
}
"""The seconds added to a measured latency, by "is in mainland China": an answer says little about bandwidth, which is
poor across the border; elsewhere they only keep equals in one order."""
_ZONES = ("CST", "China Standard Time", "中国标准时间")


@dataclass(frozen=True, slots=True)
class Candidate:
    hub: Hub
    reason: str
    """The stable code of the reason for its place: "chosen", "user_order", "mirror_first", "fastest", "nearby", "slow",
    "fallback", "unreachable", "unmeasured", "not_published"."""
    latency_s: float | None = None
    """The measured latency; None where the hub was not asked or did not answer."""


def hubs(settings: SourceSettings, *, listing_s: float = LISTING_S) -> tuple[Hub, ...]:
    """The hubs: Hugging Face, its mirror, ModelScope. Costs no request and loads no library."""
    return (
        HuggingFaceHub("hf", settings.hf_endpoint, listing_s=listing_s),
        HuggingFaceHub("mirror", settings.mirror_endpoint, listing_s=listing_s),
        ModelScopeHub(settings.modelscope_endpoint, listing_s=listing_s),
    )


def order_sources(
    entry: ModelEntry,
    provider: Provider,
    known: Sequence[Hub],
    settings: SourceSettings,
    *,
    cancelled: CancelCheck,
) -> tuple[Candidate, ...]:
    """The `known` hubs, best first; those that don't publish the model come last, and their listing raises NOT_FOUND.

    A named order is taken without a request; only a plain "auto" probes, which takes 3 s at most. An unreachable
    source stays in the list: a probe that found nothing proves little. Raises Interrupted, Offline where downloads are
    switched off, and InvalidSetting where a source's address or their order can't be used.
    """
    if settings.offline:
        raise Offline()
    settings.check()
    published = [hub for hub in known if hub.has(entry)]
    ordered = _by_choice(published, provider, settings)
    if ordered is None:
        ordered = _by_probe(published, probe(published, entry, cancelled=cancelled))
    return (*ordered, *_without(entry, known))


def standing(
    entry: ModelEntry,
    known: Sequence[Hub],
    settings: SourceSettings,
    latencies: Mapping[SourceId, float] | None = None,
) -> tuple[Candidate, ...]:
    """The order that `order_sources` would give for "auto", without a request.

    `latencies` are those of an earlier `probe`; None says that there was none yet: the sources then stand in their
    usual order, "unmeasured".
    """
    published = [hub for hub in known if hub.has(entry)]
    ordered = _by_choice(published, "auto", settings)
    if ordered is not None:
        ordered = [replace(candidate, latency_s=(latencies or {}).get(candidate.hub.id)) for candidate in ordered]
    elif latencies is None:
        ordered = _named(published, (), "", otherwise="unmeasured")
    else:
        ordered = _by_probe(published, latencies)
    return (*ordered, *_without(entry, known))


def probe(asked: Sequence[Hub], entry: ModelEntry, *, cancelled: CancelCheck) -> dict[SourceId, float]:
    """The seconds until each hub begins to answer about the model, all asked at once; hubs without a proper answer
    within PROBE_S are left out. Raises Interrupted."""
    answers: SimpleQueue[tuple[SourceId, float | None]] = SimpleQueue()
    for hub in asked:
        work = threading.Thread(target=_ask, args=(hub, entry, answers), name=f"probe-{hub.id}", daemon=True)
        work.start()
    latencies: dict[SourceId, float] = {}
    missing, deadline = len(asked), time.monotonic() + PROBE_S
    while missing and (left := deadline - time.monotonic()) > 0:
        if cancelled():
            raise Interrupted()
        try:
            hub_id, latency = answers.get(timeout=min(left, _CANCEL_CHECK_S))
        except Empty:
            continue
        missing -= 1
        if latency is not None:
            latencies[hub_id] = latency
    logger.info(
        "sources answer after %s", {name: round(latency, 3) for name, latency in latencies.items()} or "nothing"
    )
    return latencies


def is_mainland() -> bool:
    """Whether the machine's clock or language says mainland China. Sends nothing to anybody."""
    language = locale.getlocale()[0] or ""
    if language.startswith(("zh_CN", "Chinese (Simplified)_China")):
        return True
    # Windows has a name of its own; elsewhere "CST" with UTC+8 is mainland or Taipei, which is near the same servers.
    return time.tzname[0] in _ZONES and time.timezone == -8 * 3600


def _ask(hub: Hub, entry: ModelEntry, answers: SimpleQueue[tuple[SourceId, float | None]]) -> None:
    import requests  # noqa: PLC0415 - starting stays light

    began, latency = time.monotonic(), None
    try:
        with requests.get(
            hub.probe_url(entry),
            headers={"User-Agent": f"tts-studio/{tts_core.__version__}", "Accept": "application/json"},
            timeout=PROBE_S,
            stream=True,  # the head is all that is read
            auth=no_login,
        ) as response:
            if response.ok and "json" in response.headers.get("Content-Type", ""):
                latency = time.monotonic() - began
    except Exception as error:  # noqa: BLE001 - whatever it is, this source does not answer
        logger.info("%s does not answer: %s", hub.endpoint, type(error).__name__)
    answers.put((hub.id, latency))


def _by_choice(published: Sequence[Hub], provider: Provider, settings: SourceSettings) -> list[Candidate] | None:
    """The order of the caller or the settings; None where only a probe can find one."""
    if provider != "auto":
        return _named(published, (provider,), "chosen")
    if settings.order:
        return _named(published, settings.order, "user_order")
    return _named(published, ("mirror",), "mirror_first") if settings.mirror_first else None


def _named(
    published: Sequence[Hub], names: Sequence[str], reason: str, *, otherwise: str = "fallback"
) -> list[Candidate]:
    """The hubs that were named, in their order, then the others as usual."""
    usual = [*names, *(_NEAR if is_mainland() else HUBS)]
    ordered = sorted(published, key=lambda hub: usual.index(hub.id))
    return [Candidate(hub, reason if hub.id in names else otherwise) for hub in ordered]


def _without(entry: ModelEntry, known: Sequence[Hub]) -> list[Candidate]:
    return [Candidate(hub, "not_published") for hub in known if not hub.has(entry)]


def _by_probe(published: Sequence[Hub], latencies: Mapping[SourceId, float]) -> list[Candidate]:
    mainland = is_mainland()
    handicap = _HANDICAP_S[mainland]
    there = sorted(
        (hub for hub in published if hub.id in latencies), key=lambda hub: latencies[hub.id] + handicap[hub.id]
    )
    away = [hub for hub in published if hub.id not in latencies]
    candidates = [Candidate(hub, "slow", latencies[hub.id]) for hub in there]
    if there:
        first, fastest = there[0], min(latencies.values())
        is_hint = mainland and latencies[first.id] > fastest
        candidates[0] = Candidate(first, "nearby" if is_hint else "fastest", latencies[first.id])
    usual = _NEAR if mainland else HUBS
    away.sort(key=lambda hub: usual.index(hub.id))
    return [*candidates, *(Candidate(hub, "unreachable") for hub in away)]
