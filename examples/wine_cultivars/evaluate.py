"""Processing job: score a trained model on the test part, write the report that the model package points to."""

from __future__ import annotations

import argparse
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score


def main() -> None:
    """Read model and test data, write ``evaluation.json``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=Path("/opt/ml/processing/input/model"))
    parser.add_argument("--test", type=Path, default=Path("/opt/ml/processing/input/test"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/evaluation"))
    arguments = parser.parse_args()

    with tarfile.open(next(arguments.model.rglob("model.tar.gz"))) as archive:
        member = archive.extractfile("model.pkl")
        if member is None:
            raise SystemExit("the archive has no model.pkl")
        forest = pickle.loads(member.read())
    table = np.concatenate(
        [np.loadtxt(file, delimiter=",", skiprows=1) for file in sorted(arguments.test.glob("*.csv"))]
    )
    labels, found = table[:, -1].astype(int), forest.predict(table[:, :-1])
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "evaluation.json").write_text(
        json.dumps(
            {
                "cases": len(labels),
                "accuracy": accuracy_score(labels, found),
                "macro_f1": f1_score(labels, found, average="macro"),
                "confusion": confusion_matrix(labels, found).tolist(),
            },
            indent=2,
        )
    )
    print(f"evaluated on {len(labels)} cases: accuracy {accuracy_score(labels, found):.4f}")


if __name__ == "__main__":
    main()
