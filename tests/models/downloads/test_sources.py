"""In which order sources are tried, and what finding that out costs."""

from __future__ import annotations

import locale
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.hubs.faults import Fault
from tests.hubs.hubs import Hubs
from tests.hubs.models import PublishedModel
from tts_core.models.catalogue import ModelEntry, load_catalogue
from tts_core.models.download_faults import Interrupted, Offline
from tts_core.models.download_task import Provider
from tts_core.models.downloads.hub import Hub
from tts_core.models.downloads.hubs import ordering as sources
from tts_core.models.downloads.hubs.ordering import (
    PROBE_S,
    Candidate,
    hubs as hubs_of,
    is_mainland,
    order_sources,
    probe,
    standing,
)
from tts_core.platform.settings.sources import SourceSettings

Shown = list[tuple[str, str]]


@pytest.fixture
def entry(hubs: Hubs, small_model: PublishedModel) -> ModelEntry:
    return load_catalogue(hubs.catalogue_file).entry(small_model.key)


@pytest.fixture(autouse=True)
def abroad(monkeypatch: pytest.MonkeyPatch) -> None:
    """And patient, so that on a busy machine, too, whoever answers does so in time."""
    in_mainland(monkeypatch, False)
    monkeypatch.setattr(sources, "PROBE_S", 60.0)


def in_mainland(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(sources, "is_mainland", lambda: answer)


def order(
    entry: ModelEntry, settings: SourceSettings, provider: Provider = "auto", known: Sequence[Hub] | None = None
) -> tuple[Candidate, ...]:
    known = hubs_of(settings) if known is None else known
    return order_sources(entry, provider, known, settings, cancelled=lambda: False)


def shown(candidates: Sequence[Candidate]) -> Shown:
    return [(candidate.hub.id, candidate.reason) for candidate in candidates]


def asked(hubs: Hubs) -> int:
    return sum(len(hub.log.requests()) for hub in hubs.all)


def test_auto_takes_who_answers_first(hubs: Hubs, entry: ModelEntry) -> None:
    hubs.hf.faults.add(Fault(delay_s=1.0))
    hubs.modelscope.faults.add(Fault(delay_s=2.0))
    candidates = order(entry, hubs.settings())
    assert shown(candidates) == [("mirror", "fastest"), ("hf", "slow"), ("modelscope", "slow")]
    latencies = [candidate.latency_s or 0.0 for candidate in candidates]
    assert 0.0 < latencies[0] < latencies[1] < latencies[2]


def test_a_probe_is_one_small_request_each_and_no_file_bytes(hubs: Hubs, entry: ModelEntry) -> None:
    order(entry, hubs.settings())
    for hub in hubs.all:
        (request,) = hub.log.requests()
        assert (request.stage, request.authorization) == ("listing", "")
    assert hubs.sent() == 0


def test_who_does_not_answer_comes_last_but_is_still_there(hubs: Hubs, entry: ModelEntry) -> None:
    hubs.hf.stop()
    hubs.mirror.faults.add(Fault(html=True))
    assert shown(order(entry, hubs.settings())) == [
        ("modelscope", "fastest"),
        ("hf", "unreachable"),
        ("mirror", "unreachable"),
    ]


def test_silent_sources_don_t_hold_it_up(hubs: Hubs, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PROBE_S", PROBE_S)
    for hub in hubs.all:
        hub.faults.add(Fault(silent=True))
    began = time.monotonic()
    assert {reason for _, reason in shown(order(entry, hubs.settings()))} == {"unreachable"}
    assert time.monotonic() - began < PROBE_S + 50  # of which a busy machine may take the most


def test_in_mainland_china_the_near_ones_win_near_ties_only(
    hubs: Hubs, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_mainland(monkeypatch, True)
    monkeypatch.setitem(sources._HANDICAP_S, True, {"modelscope": 0.0, "mirror": 20.0, "hf": 30.0})
    hubs.modelscope.faults.add(Fault(delay_s=0.5))
    assert shown(order(entry, hubs.settings())) == [("modelscope", "nearby"), ("mirror", "slow"), ("hf", "slow")]
    hubs.modelscope.stop()
    hubs.mirror.stop()
    assert [name for name, _ in shown(order(entry, hubs.settings()))] == ["hf", "modelscope", "mirror"]


def test_a_named_source_comes_first_without_a_request(
    hubs: Hubs, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = hubs.settings()
    assert shown(order(entry, settings, "modelscope")) == [
        ("modelscope", "chosen"),
        ("hf", "fallback"),
        ("mirror", "fallback"),
    ]
    in_mainland(monkeypatch, True)
    assert [name for name, _ in shown(order(entry, settings, "hf"))] == ["hf", "modelscope", "mirror"]
    assert asked(hubs) == 0


def test_the_user_s_order(hubs: Hubs, entry: ModelEntry) -> None:
    settings = replace(hubs.settings(), order=("modelscope", "mirror"), mirror_first=True)
    assert shown(order(entry, settings)) == [
        ("modelscope", "user_order"),
        ("mirror", "user_order"),
        ("hf", "fallback"),
    ]
    assert asked(hubs) == 0


def test_use_hf_mirror(hubs: Hubs, entry: ModelEntry) -> None:
    settings = replace(hubs.settings(), mirror_first=True)
    assert shown(order(entry, settings))[0] == ("mirror", "mirror_first")
    assert len(order(entry, settings)) == 3
    assert asked(hubs) == 0


def test_who_does_not_publish_it_is_not_asked(hubs: Hubs, entry: ModelEntry) -> None:
    candidates = order(replace(entry, hf=""), hubs.settings())
    assert shown(candidates) == [("modelscope", "fastest"), ("hf", "not_published"), ("mirror", "not_published")]
    assert [len(hub.log.requests()) for hub in hubs.all] == [0, 0, 1]
    assert shown(order(replace(entry, hf=""), hubs.settings(), "hf"))[0] == ("modelscope", "fallback")


def test_offline_asks_nobody(hubs: Hubs, entry: ModelEntry) -> None:
    with pytest.raises(Offline):
        order(entry, replace(hubs.settings(), offline=True))
    assert asked(hubs) == 0


def test_a_probe_can_be_stopped(hubs: Hubs, entry: ModelEntry) -> None:
    for hub in hubs.all:
        hub.faults.add(Fault(silent=True))
    settings = hubs.settings()
    with pytest.raises(Interrupted):
        order_sources(entry, "auto", hubs_of(settings), settings, cancelled=lambda: True)


@pytest.fixture
def no_language() -> Iterator[None]:
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.mark.usefixtures("no_language")
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone can't be changed here")
@pytest.mark.parametrize(
    ("zone", "expected"),
    [("CST-8", True), ("CST6CDT", False), ("<+08>-8", False), ("UTC0", False)],
    ids=["Shanghai", "Chicago", "Singapore", "UTC"],
)
def test_the_clock_tells_where_this_is(zone: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        answer = is_mainland()
    time.tzset()
    assert answer is expected


def test_the_present_standing_costs_no_request(hubs: Hubs, entry: ModelEntry) -> None:
    settings = hubs.settings()
    known = hubs_of(settings)
    assert shown(standing(entry, known, settings)) == [(name, "unmeasured") for name in ("hf", "mirror", "modelscope")]
    assert asked(hubs) == 0
    hubs.mirror.faults.add(Fault(status=503))
    hubs.hf.faults.add(Fault(delay_s=1.0))
    latencies = probe(known, entry, cancelled=lambda: False)
    assert shown(standing(entry, known, settings, latencies)) == [
        ("modelscope", "fastest"),
        ("hf", "slow"),
        ("mirror", "unreachable"),
    ]
    own = standing(entry, known, replace(settings, order=("mirror", "hf")), latencies)
    assert shown(own) == [("mirror", "user_order"), ("hf", "user_order"), ("modelscope", "fallback")]
    assert [candidate.latency_s for candidate in own] == [None, latencies["hf"], latencies["modelscope"]]
