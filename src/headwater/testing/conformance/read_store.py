"""The suite of the read store's contract, whole. Reads: all modules named ``read_`` and ``row_`` beside it.

Reading order: read_samples, read_backend, row_keeping, row_sharing, row_rebuilding, row_parking,
row_watching, row_finding, row_paging, row_reporting, row_selecting, row_searching, row_joining, row_listing.
"""

from __future__ import annotations

from headwater.testing.conformance.row_finding import RowFinding
from headwater.testing.conformance.row_joining import RowJoining
from headwater.testing.conformance.row_keeping import RowKeeping
from headwater.testing.conformance.row_listing import RowListing
from headwater.testing.conformance.row_paging import RowPaging
from headwater.testing.conformance.row_parking import RowParking
from headwater.testing.conformance.row_rebuilding import RowRebuilding
from headwater.testing.conformance.row_reporting import RowReporting
from headwater.testing.conformance.row_searching import RowSearching
from headwater.testing.conformance.row_selecting import RowSelecting
from headwater.testing.conformance.row_sharing import RowSharing
from headwater.testing.conformance.row_watching import RowWatching


class ReadStoreConformance(
    RowKeeping,
    RowSharing,
    RowRebuilding,
    RowParking,
    RowWatching,
    RowFinding,
    RowPaging,
    RowReporting,
    RowSelecting,
    RowSearching,
    RowJoining,
    RowListing,
):
    """Every promise of ``ReadStore``. A backend's test class says its ``capabilities`` and its ``url``."""
