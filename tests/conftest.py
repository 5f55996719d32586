"""What all tests share: how hard Hypothesis tries, and the servers that some of them need."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from tests.servers.postgres import debian_postgres_server, postgres_server, postgres_url
from tests.servers.valkey import _valkey, local_valkey, valkey

__all__ = ["_valkey", "debian_postgres_server", "local_valkey", "postgres_server", "postgres_url", "valkey"]

# A shared machine pauses; a deadline would then fail a test that is right.
settings.register_profile("default", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("campaign", parent=settings.get_profile("default"), max_examples=3000)
settings.load_profile("default")
