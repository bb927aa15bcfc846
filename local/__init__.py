"""The local cloud: AWS's APIs on one port, for development, tests and the demonstration."""
