"""Cold starts: the import of each function's handler in a new interpreter, against importing boto3 alone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FUNCTIONS = Path(__file__).parents[2] / "functions"
ROUNDS = 9
GOAL = 1.6
_TIMED = "import time; begun = time.perf_counter(); import {module}; print(time.perf_counter() - begun)"


def cold_starts() -> Iterator[dict[str, Any]]:
    """Import each handler in turn with boto3, in interpreters of their own, with bytecode; take the medians."""
    names = sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))
    seconds: dict[str, list[float]] = {name: [] for name in ("boto3", *names)}
    for number in range(ROUNDS + 1):
        for name, taken in seconds.items():
            once = _import_seconds(name)
            if number:  # the first round writes the bytecode that a layer ships
                taken.append(once)
    peer = statistics.median(seconds.pop("boto3"))
    for name, taken in seconds.items():
        ours = statistics.median(taken)
        yield {
            "area": "lineage",
            "name": f"cold start, import of {name}",
            "ours": round(ours * 1000, 1),
            "peer": round(peer * 1000, 1),
            "unit": "ms (peer: import boto3)",
            "ratio": round(ours / peer, 2),
            "goal": GOAL,
            "met": ours / peer <= GOAL,
        }


def _import_seconds(name: str) -> float:
    module, path = ("boto3", "") if name == "boto3" else ("handler", str(FUNCTIONS / name))
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(module=module)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    return float(done.stdout)
