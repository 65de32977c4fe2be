"""Every route of the OpenAPI document, asked with what the document allows and with what it does not: no answer is a
failure of the server's, and every status is one that the document names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

EXAMPLES = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 2}
LEFT_OUT = (
    *("/api/models/events", "/api/jobs/events"),  # they stream until somebody leaves
    "/api/tts/qwen3/acceleration-status",  # loads torch in another process, which takes as long as all others together
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    data_dir = tmp_path_factory.mktemp("schema")
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), "HF_HUB_OFFLINE": "1"}))
    with serving(create_api(services)) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json").exclude(path=list(LEFT_OUT))
    services.close()


def foreseen(_context: schemathesis.CheckContext, answer: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """503 and 507 are: a model that is missing, a disk that is full."""
    assert answer.status_code != 500, f"{case.formatted_path}: {answer.status_code}"


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_route_answers_whatever_it_is_asked(document: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    operations = [result.ok() for result in document.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) > 40
    failures = [failure for operation in operations for failure in failures_of(operation, mode)]
    assert failures == []


def failures_of(operation: schemathesis.APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> list[str]:
    """What was wrong with an answer, and how it was asked; the first failure of the operation only."""

    @settings(
        max_examples=EXAMPLES[mode],
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=[foreseen, status_code_conformance], timeout=120)

    try:
        ask()
    except Unsatisfiable:
        return []  # nothing that a route without parameters could be asked wrongly
    except FailureGroup as group:
        return [f"{operation.label}: {failure}" for failure in group.exceptions]
    return []
