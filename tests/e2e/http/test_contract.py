"""The door against its own contract: generated requests, good and bad, must be answered as the document promises."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.unit.http.desk import Incident, Incidents, find_incidents, get_incident

from headwater import App
from headwater.http import create_app

_CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]


@pytest.fixture(scope="module")
def contract():
    """The document of a desk that does nothing wrong on purpose."""
    door = create_app(App("desk", Incident, Incidents, find_incidents, get_incident), "memory:")
    return schemathesis.openapi.from_asgi("/openapi.json", door)


schema = schemathesis.pytest.from_fixture("contract")


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_door_keeps_its_contract(case):
    """Whatever is sent, the answer has a documented status, type and shape."""
    case.call_and_validate(checks=_CHECKS)
