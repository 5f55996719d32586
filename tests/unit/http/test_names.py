"""Names in paths."""

from __future__ import annotations

import pytest

from headwater.catalogue import Catalogue
from headwater.errors import UnknownMessage
from headwater.http.names import Names
from headwater.messages import Command, contract


@contract("CloseCase", aliases=["ShutCase"])
class _CloseCase(Command):
    pass


@pytest.mark.parametrize("segment", ["CloseCase", "close-case", "ShutCase", "shut-case"])
def test_a_name_is_found_in_every_spelling_and_by_what_it_was_called_before(segment):
    """All lead to the canonical name."""
    catalogue = Catalogue.of([_CloseCase])

    assert Names(catalogue.commands, catalogue.command_type).find(segment) == "CloseCase"


def test_an_unknown_name_is_explained():
    """With the nearest that there is."""
    catalogue = Catalogue.of([_CloseCase])

    with pytest.raises(UnknownMessage, match="did you mean CloseCase"):
        Names(catalogue.commands, catalogue.command_type).find("close-cas")
