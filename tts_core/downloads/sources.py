"""Which hubs there are, and in which order a download tries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tts_core.catalogue import ModelEntry
from tts_core.downloads.hub import Hub
from tts_core.downloads.task import Provider
from tts_core.protocols import CancelCheck
from tts_core.source_settings import SourceSettings


@dataclass(frozen=True, slots=True)
class Candidate:
    hub: Hub
    reason: str
    """Stable code, why it stands where it stands: "chosen", "user_order", "mirror_first", "fastest", "nearby", "slow",
    "fallback", "unreachable", "not_published"."""
    latency_s: float | None = None
    """Measured; None where it was not asked or did not answer."""


def hubs(settings: SourceSettings) -> tuple[Hub, ...]:
    """Hugging Face, its mirror, ModelScope. Costs no request and loads no library."""
    raise NotImplementedError


def order_sources(
    entry: ModelEntry,
    provider: Provider,
    known: Sequence[Hub],
    settings: SourceSettings,
    *,
    cancelled: CancelCheck,
) -> tuple[Candidate, ...]:
    """All of `known`, best first; those that don't publish the model come last, and their listing raises NOT_FOUND.

    Takes 3 s at most. Raises Interrupted, and Offline where downloads are switched off.
    """
    raise NotImplementedError
