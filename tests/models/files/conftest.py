from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.model_folders import Studio, build_studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return build_studio(tmp_path)
