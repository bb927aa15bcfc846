"""Run these benchmarks alone: ``python -m benchmarks.drift``."""

from __future__ import annotations

import json

from benchmarks.drift import run

for line in run():
    print(json.dumps(line), flush=True)
