"""The root of all errors."""

from __future__ import annotations

import pytest

from headwater import errors
from headwater.error_root import again

FOR_SEVERAL = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.StoreError | errors.ProjectionError)
]


@pytest.mark.parametrize("kind", FOR_SEVERAL)
def test_an_error_made_again_says_the_same(kind):
    """Class, text, remedy and facts are those of the first one; what came of the one does not touch the other."""
    told = kind("the disk is gone", remedy="plug it in", path="a.db")
    other = again(told)
    assert (type(other), str(other), other.code) == (kind, str(told), told.code)
    assert (other.message, other.remedy, other.fields, other.path) == (told.message, told.remedy, told.fields, "a.db")
    assert other is not told
    assert other.__cause__ is told


@pytest.mark.parametrize("kind", FOR_SEVERAL)
def test_an_error_made_again_keeps_the_remedy_of_its_class(kind):
    """Which is not repeated where it is raised."""
    assert again(kind("the disk is gone")).remedy == kind.remedy


def test_an_error_made_again_has_the_cause_of_the_first():
    """Whoever handles it looks there for what the driver or the handler raised."""
    told, cause = errors.StoreIOError("the disk is gone"), OSError(5)
    told.__cause__ = cause
    assert again(told).__cause__ is cause
