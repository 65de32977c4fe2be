"""Fixtures; a conftest.py takes them with `from tests.hubs.fixtures import hubs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hubs.hubs import Hubs
from tests.hubs.models import PublishedModel, make_model


@pytest.fixture
def hubs(tmp_path: Path, small_model: PublishedModel) -> Iterator[Hubs]:
    """Three sound hubs with one small model."""
    with Hubs(tmp_path / "hubs") as started:
        started.publish(small_model)
        yield started


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> PublishedModel:
    """custom_0_6b, 1.4 MB."""
    return make_model(tmp_path_factory.mktemp("small_model"))
