"""Training job in script mode: a forest that tells the cultivar of a wine from its chemistry."""

from __future__ import annotations

import argparse
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, log_loss

SERVED_WITH = ("inference.py", "features.py")


def read_part(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return features, shape ``(wines, 16)``, and labels, shape ``(wines,)``, of the CSV files in a channel."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise SystemExit(f"{folder} has no CSV file: is the channel's S3 URI right?")
    table = np.concatenate([np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2) for file in files])
    return table[:, :-1], table[:, -1].astype(int)


def main() -> None:
    """Train on one channel, score on the other, print the metrics that SageMaker reads, keep model and serving code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-estimators", type=int, default=30)
    parser.add_argument("--max-depth", type=int, default=4)
    parser.add_argument("--min-samples-leaf", type=int, default=1)
    parser.add_argument("--random-state", type=int, default=7)
    parser.add_argument("--train", type=Path, default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", type=Path, default=os.environ.get("SM_CHANNEL_VALIDATION"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    arguments = parser.parse_args()

    features, labels = read_part(Path(arguments.train))
    forest = RandomForestClassifier(
        n_estimators=arguments.n_estimators,
        max_depth=arguments.max_depth,
        min_samples_leaf=arguments.min_samples_leaf,
        random_state=arguments.random_state,
    ).fit(features, labels)

    features, labels = read_part(Path(arguments.validation))
    found = forest.predict(features)
    print(f"validation:accuracy={accuracy_score(labels, found):.4f};")
    print(f"validation:macro-f1={f1_score(labels, found, average='macro'):.4f};")
    print(f"validation:log-loss={log_loss(labels, forest.predict_proba(features), labels=forest.classes_):.4f};")

    model_dir = Path(arguments.model_dir)
    (model_dir / "code").mkdir(parents=True, exist_ok=True)
    (model_dir / "model.pkl").write_bytes(pickle.dumps(forest))
    for name in SERVED_WITH:
        shutil.copy(Path(__file__).parent / name, model_dir / "code" / name)


if __name__ == "__main__":
    main()
