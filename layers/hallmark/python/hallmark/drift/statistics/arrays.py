"""Names for the arrays that go around in here."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""An array of double-precision numbers."""
Integers = npt.NDArray[np.int64]
"""An array of whole numbers."""
Anything = npt.NDArray[Any]
"""An array of what a caller gave."""
