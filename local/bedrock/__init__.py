"""A stand-in for Amazon Bedrock: models that answer, and jobs that run."""
