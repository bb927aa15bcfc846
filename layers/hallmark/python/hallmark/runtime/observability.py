"""Log and metrics: JSON lines for both, under the function's name (``POWERTOOLS_SERVICE_NAME``).

Tracing needs no SDK: Lambda's own is switched on per function.
"""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

__all__ = ["Logger", "MetricUnit", "Metrics", "logger", "metrics"]

logger = Logger()
metrics = Metrics(namespace="Hallmark")
