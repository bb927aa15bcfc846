"""MLflow: its runs, its registry, and what its webhooks say (MLflow 2 and 3, REST API 2.0)."""
