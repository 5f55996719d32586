"""The fines office, put together. Try it: ``headwater serve tests.fines.app:app``."""

from __future__ import annotations

from tests.fines.fine import Fine
from tests.fines.views import Articles, Fines, Steps, Vehicles, Years, count_fines, find_fines, summarise_fines

from headwater import App

app = App("fines", Fine, Fines, Years, Steps, Articles, Vehicles, find_fines, summarise_fines, count_fines)
