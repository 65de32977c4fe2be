"""Hubs are asked what is new; a model's state never changes by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs.faults import Fault
from tests.hubs.fixtures import hubs, small_model
from tests.hubs.hubs import Hubs
from tests.hubs.models import PublishedModel, make_model
from tests.models.model_folders import BASE_KEY
from tests.models.store.conftest import Home
from tts_core.domain.errors import UnknownModelKey
from tts_core.models.download_faults import Offline
from tts_core.models.store.reports import UpdateState
from tts_core.services import Services

__all__ = ["hubs", "small_model"]


def start(home: Home, hubs: Hubs, **variables: str) -> Services:
    return home.start(**hubs.environ(), **variables)


def test_what_is_pinned_is_up_to_date_everywhere(home: Home, hubs: Hubs, small_model: PublishedModel) -> None:
    services = start(home, hubs)
    (report,) = services.store.updates([small_model.key])
    assert (report.state, report.revision) == (UpdateState.UP_TO_DATE, small_model.revision)
    assert [(source.source, source.state) for source in report.sources] == [
        (source, UpdateState.UP_TO_DATE) for source in ("hf", "mirror", "modelscope")
    ]
    assert hubs.sent() == 0
    assert not home.models_dir.exists()


def test_other_files_at_a_hub_are_an_update_and_named(home: Home, hubs: Hubs, small_model: PublishedModel) -> None:
    hubs.hf.faults.add(Fault(listed_sha256="ab" * 32), on="listing", file="model.safetensors")
    hubs.modelscope.faults.add(Fault(unlisted=("vocab.json",)), on="listing")
    (report,) = start(home, hubs).store.updates([small_model.key])
    told = {source.source: (source.state, source.differing) for source in report.sources}
    assert report.state is UpdateState.UPDATE_AVAILABLE
    assert told == {
        "hf": (UpdateState.UPDATE_AVAILABLE, ("model.safetensors",)),
        "mirror": (UpdateState.UP_TO_DATE, ()),
        "modelscope": (UpdateState.UPDATE_AVAILABLE, ("vocab.json",)),
    }


def test_a_hub_that_fails_says_why_and_the_others_count(home: Home, hubs: Hubs, small_model: PublishedModel) -> None:
    hubs.hf.faults.add(Fault(html=True))
    hubs.mirror.faults.add(Fault(status=404))
    (report,) = start(home, hubs).store.updates([small_model.key])
    assert report.state is UpdateState.UP_TO_DATE
    assert [(source.state, source.code, bool(source.message)) for source in report.sources] == [
        (UpdateState.UNKNOWN, "NOT_A_HUB", True),
        (UpdateState.UNKNOWN, "NOT_FOUND", True),
        (UpdateState.UP_TO_DATE, "", False),
    ]


def test_a_hub_out_of_reach_is_asked_once_for_all_models(
    home: Home, hubs: Hubs, small_model: PublishedModel, tmp_path: Path
) -> None:
    second = make_model(tmp_path / "second", BASE_KEY)
    hubs.publish(second)
    for hub in hubs.all:
        hub.faults.add(Fault(drop=True))
    reports = list(start(home, hubs).store.updates([small_model.key, BASE_KEY]))
    assert [report.state for report in reports] == [UpdateState.UNKNOWN] * 2
    assert reports[0].sources == reports[1].sources
    for hub in hubs.all:
        asked = [request.path for request in hub.log.requests()]
        assert asked
        assert not any(second.local in path for path in asked)


def test_offline_asks_nobody(home: Home, hubs: Hubs) -> None:
    services = start(home, hubs, HF_HUB_OFFLINE="1")
    with pytest.raises(Offline):
        list(services.store.updates())
    with pytest.raises(UnknownModelKey):
        services.store.updates(["nope"])
    assert all(not hub.log.requests() for hub in hubs.all)
