"""Kubeflow Pipelines: runs, tasks and artifacts (API v2beta1)."""
