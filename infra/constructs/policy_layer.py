"""The team's policy as a layer: what was validated at synthesis is what the functions read."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from hallmark.policy.deployment import write_policy_package
from hallmark.policy.models import Policy


class PolicyLayer(Construct):
    """One layer that changes with the policy, and with nothing else."""

    def __init__(self, scope: Construct, construct_id: str, *, policy: Policy, folder: Path) -> None:
        super().__init__(scope, construct_id)
        built = Path(tempfile.mkdtemp(prefix="hallmark-policy-"))
        try:
            write_policy_package(policy, folder, built / "python")
            # CDK copies the folder into the cloud assembly at once, and names it by its content.
            self.version = lambda_.LayerVersion(
                self,
                "Version",
                code=lambda_.Code.from_asset(str(built)),
                description="hallmark.yaml, with the scorers and rubrics that it names",
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
                compatible_architectures=[lambda_.Architecture.ARM_64],
            )
        finally:
            shutil.rmtree(built)
