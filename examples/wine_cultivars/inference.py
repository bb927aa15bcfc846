"""The endpoint's code: thirteen measurements of each wine in, its cultivar out (SageMaker inference toolkit)."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from features import derive  # type: ignore[import-not-found]  # beside it in the container


def model_fn(model_dir: str) -> Any:
    """Load the forest."""
    return pickle.loads((Path(model_dir) / "model.pkl").read_bytes())


def input_fn(body: bytes | str, content_type: str) -> np.ndarray:
    """Read measurements, shape ``(wines, 13)``, from CSV or JSON, and add what the model sees besides.

    Raises:
        ValueError: The content type is another one, or a row has another length.
    """
    text = body.decode() if isinstance(body, bytes) else body
    if content_type == "text/csv":
        measured = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    elif content_type == "application/json":
        measured = np.array(json.loads(text), dtype=float)
    else:
        raise ValueError(f"content type {content_type} cannot be read: send text/csv or application/json")
    features: np.ndarray = derive(measured)
    return features


def predict_fn(features: np.ndarray, forest: Any) -> np.ndarray:
    """Return the cultivar of each wine, shape ``(wines,)``."""
    return np.asarray(forest.predict(features))


def output_fn(cultivars: np.ndarray, accept: str) -> str:
    """Write the cultivars: a line each as CSV, otherwise a JSON list."""
    values = cultivars.tolist()
    return "\n".join(map(str, values)) if accept == "text/csv" else json.dumps(values)
