"""Run these benchmarks alone: ``python -m benchmarks.scoring``."""

from __future__ import annotations

import json

from benchmarks.scoring import run

for line in run():
    print(json.dumps(line), flush=True)
