"""The CDK app: ``cdk deploy`` reads the team's policy and deploys Hallmark into the current account and Region."""

from __future__ import annotations

import sys
from pathlib import Path

import aws_cdk as cdk

from hallmark.policy.document import PolicyError, read_policy
from infra.assets import MissingAssetError, Platform
from infra.stages import add_hallmark

ROOT = Path(__file__).parent


def main() -> None:
    """Build the cloud assembly, or say on stderr what stands in the way."""
    app = cdk.App()
    try:
        file = ROOT / str(app.node.try_get_context("policy") or "hallmark.yaml")
        platform = Platform(app.node.get_context("platform"))
        add_hallmark(app, policy=read_policy(file), policy_folder=file.parent, platform=platform)
    except (PolicyError, MissingAssetError) as error:
        sys.exit(str(error))
    app.synth()


main()
