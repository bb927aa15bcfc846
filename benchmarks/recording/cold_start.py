"""Cold starts: the import of each function's handler in a new interpreter, against importing boto3 alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FUNCTIONS = Path(__file__).parents[2] / "functions"
ROUNDS = 5
_APART = 8
"""Functions that are imported in turn with one import of boto3."""
GOAL = 1.6
AS_DEPLOYED = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Variables that all functions have (``infra/constructs/functions.py``)."""
_TIMED = "import time; begun = time.process_time(); import {module}; print(time.process_time() - begun)"


def cold_starts(area: str = "lineage", functions: str = "*") -> Iterator[dict[str, Any]]:
    """Import the handlers of functions in turn with boto3, in interpreters of their own; compare the best of each.

    Time is CPU time, and the least of some rounds, so that a machine with other work to do slows neither side: a
    function is held against as many imports of boto3 as of itself, beside them. Bytecode is there, as in the layer.
    """
    names = sorted(path.parent.name for path in FUNCTIONS.glob(f"{functions}/handler.py"))
    groups = [names[start : start + _APART] for start in range(0, len(names), _APART)]
    with tempfile.TemporaryDirectory() as bytecode:
        for name in ("boto3", *names):
            _import_seconds(name, bytecode)
        for group in groups:
            taken: dict[str, list[float]] = {name: [] for name in ("boto3", *group)}
            for _ in range(ROUNDS):
                for name, seconds in taken.items():
                    seconds.append(_import_seconds(name, bytecode))
            peer = min(taken.pop("boto3"))
            for name, seconds in taken.items():
                yield _compared(area, name, min(seconds), peer)


def _compared(area: str, name: str, ours: float, peer: float) -> dict[str, Any]:
    return {
        "area": area,
        "name": f"cold start, import of {name}",
        "ours": round(1000 * ours, 1),
        "peer": round(1000 * peer, 1),
        "unit": "ms (peer: import boto3)",
        "ratio": round(ours / peer, 2),
        "goal": GOAL,
        "met": ours / peer <= GOAL,
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
