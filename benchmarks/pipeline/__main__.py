"""Measure peers on one pipeline: ``python -m benchmarks.pipeline`` prints one JSON object a line."""

from __future__ import annotations

import json

from benchmarks.pipeline import run

for line in run():
    print(json.dumps(line), flush=True)
