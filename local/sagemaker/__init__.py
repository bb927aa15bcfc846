"""A SageMaker that runs on one machine: jobs that run, lineage, and the events that AWS sends."""
