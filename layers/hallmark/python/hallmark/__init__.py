"""Lineage, evaluation, quality gates and alerts for machine learning on AWS."""

VERSION = "0.1.0"
"""That of the distribution (pyproject.toml), which a Lambda layer does not have."""
