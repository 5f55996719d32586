"""Looking for garbage less often while serving."""

from __future__ import annotations

import subprocess
import sys

_SEEN = "import gc; from headwater.http.collecting import collect_seldom; collect_seldom(); print(*gc.get_threshold())"


def test_a_serving_process_lets_more_young_objects_gather():
    """The collector stays on, and what was there before is spared."""
    seen = subprocess.run([sys.executable, "-c", _SEEN], capture_output=True, text=True, check=True)
    assert int(seen.stdout.split()[0]) > 10_000
