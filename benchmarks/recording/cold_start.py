"""Cold starts: the import of each function's handler in a new interpreter, against importing boto3 alone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FUNCTIONS = Path(__file__).parents[2] / "functions"
ROUNDS = 7
GOAL = 1.6
AS_DEPLOYED = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Variables that all functions have (``infra/constructs/functions.py``)."""
_TIMED = "import time; begun = time.process_time(); import {module}; print(time.process_time() - begun)"


def cold_starts(area: str = "lineage", functions: str = "*_lineage") -> Iterator[dict[str, Any]]:
    """Import the handlers of some functions in turn with boto3, in interpreters of their own; compare round by round.

    Time is CPU time, so that a machine with other work to do slows neither side; bytecode is there, as in the layer.
    """
    names = sorted(path.parent.name for path in FUNCTIONS.glob(f"{functions}/handler.py"))
    with tempfile.TemporaryDirectory() as bytecode:
        for name in ("boto3", *names):
            _import_seconds(name, bytecode)
        rounds = [{name: _import_seconds(name, bytecode) for name in ("boto3", *names)} for _ in range(ROUNDS)]
    for name in names:
        ratio = statistics.median(taken[name] / taken["boto3"] for taken in rounds)
        yield {
            "area": area,
            "name": f"cold start, import of {name}",
            "ours": round(1000 * statistics.median(taken[name] for taken in rounds), 1),
            "peer": round(1000 * statistics.median(taken["boto3"] for taken in rounds), 1),
            "unit": "ms (peer: import boto3)",
            "ratio": round(ratio, 2),
            "goal": GOAL,
            "met": ratio <= GOAL,
        }


def _import_seconds(name: str, bytecode: str) -> float:
    module, path = ("boto3", "") if name == "boto3" else ("handler", str(FUNCTIONS / name))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(module=module)],
        check=True,
        capture_output=True,
        text=True,
        env={**environment, **AS_DEPLOYED, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": bytecode},
    )
    return float(done.stdout)
