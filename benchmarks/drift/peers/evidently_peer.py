"""What Evidently says of each window: run by its own interpreter, with the folder of the streams."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType

WAYS = {"default": None, "jensenshannon": "jensenshannon", "ks": "ks", "psi": "psi"}


def main(folder: Path) -> None:
    """Print the alarms of each way, a list for each stream."""
    warnings.filterwarnings("ignore")
    told: dict[str, list[list[bool]]] = {name: [] for name in WAYS}
    for stream in json.loads((folder / "streams.json").read_text()):
        values = pd.Series(np.load(stream["path"]))
        baseline = values[: stream["baseline"]]
        for name, way in WAYS.items():
            alarms = []
            for window in range(stream["windows"]):
                start = stream["baseline"] + window * stream["n"]
                current = values[start : start + stream["n"]].reset_index(drop=True)
                test = get_stattest(baseline, current, ColumnType.Numerical, way)
                alarms.append(bool(test(baseline, current, ColumnType.Numerical, None).drifted))
                if stream["shift"] and alarms[-1]:
                    break
            told[name].append(alarms)
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
