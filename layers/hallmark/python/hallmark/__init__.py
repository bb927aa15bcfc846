"""Lineage, evaluation, quality gates and alerts for machine learning on AWS."""
