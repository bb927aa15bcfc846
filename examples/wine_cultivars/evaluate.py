"""Processing job: score a trained model on the test part, in the form of SageMaker's model quality reports."""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score


def read_model(folder: Path) -> Any:
    """Return the model in the archive that a training job left.

    Raises:
        SystemExit: There is no archive, or no model in it.
    """
    archives = sorted(folder.rglob("model.tar.gz"))
    if not archives:
        raise SystemExit(f"{folder} has no model.tar.gz: is the input's S3 URI that of a training job's artifact?")
    with tarfile.open(archives[0]) as archive:
        for member in archive:
            if member.name.rpartition("/")[2] == "model.pkl":
                stream = archive.extractfile(member)
                assert stream is not None
                return pickle.loads(stream.read())
    raise SystemExit(f"{archives[0]} has no model.pkl")


def main() -> None:
    """Read model and test data, write ``evaluation.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("/opt/ml/processing/input/model"))
    parser.add_argument("--test", type=Path, default=Path("/opt/ml/processing/input/test"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/evaluation"))
    arguments = parser.parse_args()

    forest = read_model(arguments.model)
    files = sorted(arguments.test.rglob("*.csv"))
    table = np.concatenate([np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2) for file in files])
    labels = table[:, -1].astype(int)
    found = forest.predict(table[:, :-1])
    names = sorted({*labels.tolist(), *found.tolist()})
    counts = confusion_matrix(labels, found, labels=names).tolist()
    right = labels == found
    report = {
        # Reports of two versions compare only where the digest is the same.
        "dataset": {"item_count": len(labels), "digest": hashlib.sha256(table.tobytes()).hexdigest()},
        "multiclass_classification_metrics": {
            "accuracy": {"value": accuracy_score(labels, found)},
            "macro_f1": {"value": f1_score(labels, found, average="macro")},
            "confusion_matrix": {
                str(actual): {str(guess): counts[row][column] for column, guess in enumerate(names)}
                for row, actual in enumerate(names)
            },
        },
        # How many of how many: from these a quality gate tells how sure the figures are, overall and by group.
        "counts": {
            "accuracy": {
                "successes": int(right.sum()),
                "cases": len(labels),
                "groups": {
                    f"cultivar {name}": {
                        "successes": int(right[labels == name].sum()),
                        "cases": int((labels == name).sum()),
                    }
                    for name in names
                },
            }
        },
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "evaluation.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
