"""Projections at work. Read in this order: folding.py, projector.py."""

from __future__ import annotations

from headwater.projections.folding import Folding
from headwater.projections.projector import Projector, projectors

__all__ = ["Folding", "Projector", "projectors"]
