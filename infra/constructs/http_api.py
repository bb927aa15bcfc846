"""The HTTP API, and how a capability adds a route to it.

A capability's own stack adds its routes, so that the API's stack knows none of them::

    ApiRoute(self, "ReceiveFeedback", api=api, method="POST", path="/feedback", function=receiving, is_signed=True)

With ``is_signed`` only callers whom IAM allows ``execute-api:Invoke`` on the route get through, with a signature
(SigV4); ``allow_calling`` is the statement for their role. Without it the function itself must know its callers, as the
links and webhooks of alerts do.
"""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.functions import PythonFunction

_REQUESTS_A_SECOND = 20
_BURST = 40
# No query string: the links of alerts carry their token in it.
_LOGGED = ("requestId", "httpMethod", "routeKey", "status", "responseLatency", "integrationErrorMessage")


class HallmarkHttpApi(Construct):
    """An HTTP API with one stage, a limit on requests, and a log of them."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.HttpApi(
            self, "Api", description="Hallmark: links, webhooks, intake", create_default_stage=False
        )
        log = logs.LogGroup(
            self, "Requests", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=_REQUESTS_A_SECOND, burst_limit=_BURST),
        )
        resource = stage.node.default_child
        if not isinstance(resource, apigateway.CfnStage):
            raise TypeError(f"the stage's own resource is a {type(resource).__name__}")
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log.log_group_arn, format=json.dumps({name: f"$context.{name}" for name in _LOGGED})
        )

    @property
    def url(self) -> str:
        """Address of the API, without a slash at its end."""
        return self.api.api_endpoint


class ApiRoute(Construct):
    """One route to one function."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        api: HallmarkHttpApi,
        method: str,
        path: str,
        function: PythonFunction,
        is_signed: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.route = apigateway.HttpRoute(
            self,
            "Route",
            http_api=api.api,
            route_key=apigateway.HttpRouteKey.with_(path, apigateway.HttpMethod(method)),
            integration=integrations.HttpLambdaIntegration("Function", function.function),
            authorizer=authorizers.HttpIamAuthorizer() if is_signed else None,
        )
        self._arn = cdk.Stack.of(self).format_arn(
            service="execute-api",
            resource=api.api.api_id,
            resource_name=f"$default/{method}{path}",
        )

    def allow_calling(self) -> iam.PolicyStatement:
        """Return the statement that lets a role call a signed route."""
        return iam.PolicyStatement(sid="CallHallmark", actions=["execute-api:Invoke"], resources=[self._arn])
