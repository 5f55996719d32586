"""The door against its own contract: generated requests, good and bad, must be answered as the document promises."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from tests.unit.http.desk import Incident, Incidents, find_incidents, get_incident

from headwater import App
from headwater.http import HttpOptions, create_app


def no_unforeseen_failure(context, response, case):
    """503 is an honest answer to a position that has not come yet; 500 never is one."""
    assert response.status_code != 500


_CHECKS = [
    no_unforeseen_failure,
    checks.content_type_conformance,
    checks.negative_data_rejection,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.status_code_conformance,
    checks.unsupported_method,
]
_OPERATIONS = [
    ("/commands/open-incident", "POST"),
    ("/commands/resolve-incident", "POST"),
    ("/queries/find-incidents", "GET"),
    ("/queries/find-incidents", "POST"),
    ("/queries/get-incident", "GET"),
    ("/queries/get-incident", "POST"),
]


@pytest.fixture(scope="module")
def contract():
    """The document of a desk that does nothing wrong on purpose; each request finds it newly opened, in memory."""
    door = create_app(
        App("desk", Incident, Incidents, find_incidents, get_incident), "memory:", HttpOptions(wait_seconds=0.01)
    )
    return schemathesis.openapi.from_asgi("/openapi.json", door)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), _OPERATIONS, ids=lambda part: part.strip("/").replace("/", "-"))
def test_the_door_keeps_its_contract(contract, path, method, mode):
    """Whatever is sent, the answer has a documented status, type and shape, and what is wrong is not accepted."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=contract[path][method].as_strategy(generation_mode=mode))
    def each(case):
        case.call_and_validate(checks=_CHECKS)

    each()
