"""Processing job: raw rows to features in three parts (to train on, to choose by, to test on), and a report.

A row's part follows from its content: a wine that was tested on stays out of training in every later version, however
many rows are added around it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
from features import COLUMNS, MEASUREMENTS, derive  # type: ignore[import-not-found]  # beside it in the container

TARGET = "cultivar"
PARTS = ("test", "validation", "train", "train", "train")


def read_rows(folder: Path) -> tuple[list[tuple[str, ...]], Counter[str]]:
    """Return the usable rows of all CSV files, each once, and how many were left out for which reason."""
    rows: dict[tuple[str, ...], None] = {}
    left_out: Counter[str] = Counter()
    for file in sorted(folder.rglob("*.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            for record in csv.DictReader(stream):
                missing = [name for name in (*MEASUREMENTS, TARGET) if name not in record]
                if missing:
                    raise SystemExit(f"{file.name} has no column {missing[0]}: it has {', '.join(map(str, record))}")
                row = tuple(record[name].strip() for name in (*MEASUREMENTS, TARGET))
                if not all(row):
                    left_out["incomplete"] += 1
                elif row in rows:
                    left_out["repeated"] += 1
                else:
                    rows[row] = None
    if not rows:
        raise SystemExit(f"{folder} has no usable rows: give CSV files with the columns {', '.join(MEASUREMENTS)}")
    return list(rows), left_out


def part_of(row: tuple[str, ...]) -> str:
    """Return the part that a row belongs to, by its content."""
    digest = hashlib.sha256(",".join(row).encode()).digest()
    return PARTS[int.from_bytes(digest[:4], "big") % len(PARTS)]


def main() -> None:
    """Read every CSV file of the input, write the three parts and the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    arguments = parser.parse_args()

    rows, left_out = read_rows(arguments.input)
    parts: dict[str, list[tuple[str, ...]]] = {name: [] for name in ("train", "validation", "test")}
    for row in rows:
        parts[part_of(row)].append(row)
    described = {}
    for name, members in parts.items():
        if not members:
            raise SystemExit(f"no row falls into {name}: give more rows")
        features = derive(np.array([row[:-1] for row in members], dtype=float))
        folder = arguments.output / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([*COLUMNS, TARGET])
            writer.writerows([*map(repr, row), members[number][-1]] for number, row in enumerate(features.tolist()))
        described[name] = {
            "rows": len(members),
            "cultivars": dict(sorted(Counter(row[-1] for row in members).items())),
        }
    report = {"rows": len(rows), "left_out": dict(left_out), "columns": list(COLUMNS), "parts": described}
    (arguments.output / "report").mkdir(parents=True, exist_ok=True)
    (arguments.output / "report" / "preparation.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
