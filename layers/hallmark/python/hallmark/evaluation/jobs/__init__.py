"""What AWS's own jobs do of an evaluation: batch inference, evaluation jobs, SageMaker Processing."""
