"""The CDK app: stacks, constructs, assets."""
