"""Run these benchmarks alone: ``python -m benchmarks.statistics``."""

from __future__ import annotations

import json

from benchmarks.statistics import run

for line in run():
    print(json.dumps(line), flush=True)
