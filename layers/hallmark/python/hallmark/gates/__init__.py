"""Quality gates: what a model must show before it may move on."""
