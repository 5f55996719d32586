"""The suite of the read store's contract, whole. Reads: all modules named ``read_`` and ``row_`` beside it.

Reading order: read_samples, read_backend, row_keeping, row_finding, row_paging.
"""

from __future__ import annotations

from headwater.testing.conformance.row_finding import RowFinding
from headwater.testing.conformance.row_keeping import RowKeeping
from headwater.testing.conformance.row_paging import RowPaging


class ReadStoreConformance(RowKeeping, RowFinding, RowPaging):
    """Every promise of ``ReadStore``. A backend's test class says its ``capabilities`` and its ``url``."""
