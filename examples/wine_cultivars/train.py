"""Training job in script mode: a forest that tells the cultivar of a wine from its chemistry."""

from __future__ import annotations

import argparse
import os
import pickle
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels of the CSV files in a folder."""
    table = np.concatenate([np.loadtxt(file, delimiter=",", skiprows=1) for file in sorted(folder.glob("*.csv"))])
    return table[:, :-1], table[:, -1].astype(int)


def main() -> None:
    """Train on the channel ``train``, score on ``test``, print the metrics that SageMaker reads, keep the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n-estimators", type=int, default=20)
    parser.add_argument("--max-depth", type=int, default=3)
    parser.add_argument("--model-dir", type=Path, default=Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model")))
    arguments, _ = parser.parse_known_args()

    train_x, train_y = read(Path(os.environ["SM_CHANNEL_TRAIN"]))
    test_x, test_y = read(Path(os.environ["SM_CHANNEL_TEST"]))
    forest = RandomForestClassifier(
        n_estimators=arguments.n_estimators, max_depth=arguments.max_depth, random_state=7
    ).fit(train_x, train_y)
    found = forest.predict(test_x)
    print(f"validation:accuracy={accuracy_score(test_y, found):.4f};")
    print(f"validation:f1={f1_score(test_y, found, average='macro'):.4f};")
    (arguments.model_dir / "model.pkl").write_bytes(pickle.dumps(forest))


if __name__ == "__main__":
    main()
