"""Measure against peers: ``python -m benchmarks [AREA]`` prints one JSON object a line.

Each line has area, name, ours, peer, unit, ratio, goal and met; both sides were measured in this run, unless
``peer_source`` names where a published figure comes from.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.alerting import run as alerting
from benchmarks.comparison import run as comparison
from benchmarks.drift import run as drift
from benchmarks.pipeline import run as pipeline
from benchmarks.recording import run as recording
from benchmarks.scoring import run as scoring
from benchmarks.sealing import run as sealing
from benchmarks.signing import run as signing
from benchmarks.statistics import run as statistics
from benchmarks.suites import run as suites
from benchmarks.throughput import run as throughput
from benchmarks.traversal import run as traversal

AREAS: dict[str, tuple[Callable[[], Iterator[dict[str, Any]]], ...]] = {
    "alerts": (alerting,),
    "lineage": (recording, traversal, pipeline, throughput),
    "ledger": (sealing,),
    "attestations": (signing,),
    "evaluation": (statistics, comparison, scoring, suites),
    "drift": (drift,),
}


def main(arguments: list[str]) -> int:
    """Run the benchmarks of the areas that are named (all, for none)."""
    unknown = [area for area in arguments if area not in AREAS]
    if unknown:
        print(f"there is no area {unknown[0]!r}: choose from {', '.join(AREAS)}", file=sys.stderr)
        return 2
    for area in arguments or AREAS:
        for benchmark in AREAS[area]:
            for line in benchmark():
                print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
