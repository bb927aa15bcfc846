"""Measure walks: ``python -m benchmarks.traversal`` prints one JSON object a line."""

from __future__ import annotations

import json

from benchmarks.traversal import run

for line in run():
    print(json.dumps(line), flush=True)
