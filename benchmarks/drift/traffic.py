"""Streams of windows that all are judged on: made once, read by each peer in its own environment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

LEAST_BASELINE = 10_000
MOST_BASELINE = 200_000
SHIFTS = (0.0, 0.2, 0.3, 0.5, 1.0)
"""Of the mean, in standard deviations, from the first window on; 0 for streams without drift."""


@dataclass(frozen=True)
class Stream:
    """A baseline and the windows that follow it.

    Args:
        path: File of the values: the baseline's, then those of each window.
        shape: ``normal`` or ``lognormal``.
        shift: Of every window.
        n: Values of a window.
        windows: How many windows.
        baseline: Values of the baseline.
    """

    path: str
    shape: str
    shift: float
    n: int
    windows: int
    baseline: int


def make_streams(folder: Path, sizes: dict[int, tuple[int, int]]) -> list[Stream]:
    """Write streams of each size.

    Args:
        folder: Where to.
        sizes: For each n: windows without drift of each of ten baselines, and streams for each shift.
    """
    streams = []
    for n, (windows, repeats) in sizes.items():
        baseline = min(MOST_BASELINE, max(LEAST_BASELINE, 10 * n))
        for shape in ("normal", "lognormal"):
            for shift in SHIFTS if shape == "normal" else (0.0,):
                for repeat in range(repeats if shift else 10):
                    random = np.random.default_rng([n, round(100 * shift), repeat, len(shape)])
                    count = windows if not shift else 24
                    values = random.normal(size=baseline + n * count)
                    values[baseline:] += shift
                    if shape == "lognormal":
                        values = np.exp(values)
                    path = folder / f"{shape}-{n}-{shift}-{repeat}.npy"
                    np.save(path, values)
                    streams.append(Stream(str(path), shape, shift, n, count, baseline))
    (folder / "streams.json").write_text(json.dumps([asdict(stream) for stream in streams]), encoding="utf-8")
    return streams
