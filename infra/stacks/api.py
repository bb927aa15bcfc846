"""The stack of the HTTP API; capabilities add their routes from their own stacks."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from infra.constructs.http_api import HallmarkHttpApi


class ApiStack(cdk.Stack):
    """Where links, webhooks and other tools reach Hallmark."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: where others reach it", termination_protection=False
        )
        self.http = HallmarkHttpApi(self, "Http")
        cdk.CfnOutput(self, "ApiUrl", value=self.http.url)
