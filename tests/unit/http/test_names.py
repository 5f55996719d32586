"""Names in paths."""

from __future__ import annotations

import pytest

from headwater.http.names import slug


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("OpenIncident", "open-incident"),
        ("Open", "open"),
        ("NoteSLAMissed", "note-sla-missed"),
        ("Add2Lines", "add2-lines"),
    ],
)
def test_a_name_becomes_words_with_hyphens(name, path):
    """Words are told by capitals; a run of capitals is one word."""
    assert slug(name) == path
