"""The service desk: a whole application of Headwater, shipped with it, and the demo that replays a real log through it.

Read in this order: incident_messages.py and incident.py (the aggregate), incident_views.py and report_views.py (read
models and queries), app.py (the wiring). Then the replay: log_rows.py, row_commands.py, replay.py, figures.py, demo.py.
"""

from __future__ import annotations

from headwater.servicedesk.app import app

__all__ = ["app"]
