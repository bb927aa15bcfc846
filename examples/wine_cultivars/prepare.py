"""Processing job: raw rows to features, split into a part to train on and a part to test on.

Runs in any container with pandas-free scikit-learn, such as SageMaker's own scikit-learn image.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Read every CSV file of the input, write train, test and a report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--raw", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--test-fraction", type=float, default=0.25)
    arguments = parser.parse_args()

    header: list[str] = []
    rows: list[list[str]] = []
    for file in sorted(arguments.raw.rglob("*.csv")):
        with file.open(newline="") as stream:
            header, *found = csv.reader(stream)
            rows += found
    table = np.array(rows, dtype=float)
    features, labels = table[:, :-1], table[:, -1].astype(int)
    train_x, test_x, train_y, test_y = train_test_split(
        features, labels, test_size=arguments.test_fraction, random_state=7, stratify=labels
    )
    scaler = StandardScaler().fit(train_x)
    for name, part, target in (("train", train_x, train_y), ("test", test_x, test_y)):
        folder = arguments.output / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            writer.writerows(
                [*map(repr, map(float, row)), int(label)]
                for row, label in zip(scaler.transform(part), target, strict=True)
            )
    report = arguments.output / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "preparation.json").write_text(
        json.dumps({"rows": len(table), "train": len(train_x), "test": len(test_x), "features": header[:-1]}, indent=2)
    )
    print(f"prepared {len(table)} rows: {len(train_x)} to train on, {len(test_x)} to test on")


if __name__ == "__main__":
    main()
