"""What NannyML says of each window: run by its own interpreter, with the folder of the streams."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from nannyml.drift.univariate import UnivariateDriftCalculator

WAYS = ("jensen_shannon", "kolmogorov_smirnov", "wasserstein")


def main(folder: Path) -> None:
    """Print the alarms of each way, a list for each stream."""
    warnings.filterwarnings("ignore")
    told: dict[str, list[list[bool]]] = {name: [] for name in WAYS}
    for stream in json.loads((folder / "streams.json").read_text()):
        values = np.load(stream["path"])
        calculator = UnivariateDriftCalculator(
            column_names=["x"], continuous_methods=list(WAYS), chunk_size=stream["n"]
        )
        calculator.fit(pd.DataFrame({"x": values[: stream["baseline"]]}))
        found = calculator.calculate(pd.DataFrame({"x": values[stream["baseline"] :]}))
        table = found.filter(period="analysis").to_df()
        for name in WAYS:
            told[name].append([bool(alarm) for alarm in table["x", name, "alert"]])
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
