"""Projections at work.

Read in this order: sequences.py folding.py adding.py composing.py composer.py projector.py.
"""

from __future__ import annotations

from headwater.projections.composing import Composing
from headwater.projections.folding import Folding
from headwater.projections.projector import Projector, projectors

__all__ = ["Composing", "Folding", "Projector", "projectors"]
