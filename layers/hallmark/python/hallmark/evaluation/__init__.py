"""Evaluation of foundation models: suites of datasets, models and scorers, and statistics that can be trusted."""
