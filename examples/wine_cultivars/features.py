"""What the model sees of a wine: its thirteen measurements, and three ratios of them.

Preparation and the endpoint share this file, so that a wine looks the same to the model when it learns and when it is
asked. It needs numpy alone.
"""

from __future__ import annotations

import numpy as np

MEASUREMENTS = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280_od315_of_diluted_wines",
    "proline",
)
RATIOS = {
    "flavanoid_share": ("flavanoids", "total_phenols"),
    "acidity_per_alcohol": ("malic_acid", "alcohol"),
    "colour_per_hue": ("color_intensity", "hue"),
}
COLUMNS = (*MEASUREMENTS, *RATIOS)


def derive(measured: np.ndarray) -> np.ndarray:
    """Add the ratios to rows of measurements.

    Args:
        measured: Shape ``(wines, 13)``, in the order of ``MEASUREMENTS``.

    Returns:
        Shape ``(wines, 16)``, in the order of ``COLUMNS``.

    Raises:
        ValueError: The rows have another length.
    """
    measured = np.atleast_2d(np.asarray(measured, dtype=float))
    if measured.shape[1] != len(MEASUREMENTS):
        raise ValueError(
            f"a wine has {measured.shape[1]} values: give the {len(MEASUREMENTS)} of {', '.join(MEASUREMENTS)}"
        )
    column = {name: measured[:, index] for index, name in enumerate(MEASUREMENTS)}
    ratios = [column[over] / column[under] for over, under in RATIOS.values()]
    return np.column_stack([measured, *ratios])
