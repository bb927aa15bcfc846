"""Which stacks make Hallmark."""

from __future__ import annotations

import aws_cdk as cdk

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.stacks.lineage import LineageStack


def add_hallmark(app: cdk.App, *, policy: Policy, platform: Platform) -> LineageStack:
    """Add Hallmark's stacks to an app."""
    stack = LineageStack(app, "HallmarkLineage", policy=policy, platform=platform)
    cdk.Tags.of(app).add("application", "hallmark")
    return stack
