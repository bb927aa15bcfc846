"""InvokeEndpoint: requests to the models that an endpoint serves, each in a process of its own."""

from __future__ import annotations

import json
import random
import re
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from local.sagemaker.container_folder import ContainerFolder, base_environment
from local.sagemaker.contract import Call, Description, ResourceChanged, ServiceError
from local.sagemaker.data_capture import DataCapture, Exchange, Payload
from local.sagemaker.foundation import Foundation
from local.sagemaker.hosting import ModelError, ModelProcess, serve_model
from local.sagemaker.jobs import JobRun
from local.sagemaker.models import Models
from local.sagemaker.resources import Resource
from local.sagemaker.s3_files import StagingError

Answer = tuple[int, dict[str, str], bytes]

PATH = re.compile(r"/endpoints/(?P<endpoint>[^/]+)/invocations")
_KIND, _CONFIG_KIND = "endpoint", "endpoint-config"
_SERVING = {"InService", "Updating", "RollingBack", "SystemUpdating"}
_TIMEOUT_SECONDS = (
    60.0  # "must respond to requests within 60 seconds" (developer guide, your-algorithms-inference-code)
)
_HEADER = "x-amzn-sagemaker-"


class Invocations:
    """Answers InvokeEndpoint; a model starts with the first request that it gets, and ends with its configuration."""

    def __init__(self, foundation: Foundation, models: Models) -> None:
        self._foundation = foundation
        self._models = models
        self._chooser = random.SystemRandom()
        self._lock = threading.Lock()
        self._hosts: dict[tuple[str, str, str], Future[ModelProcess]] = {}
        self._runs: dict[tuple[str, str, str], JobRun] = {}
        self.capture = DataCapture(foundation.settings.capture_seconds)

    def handle(self, path: str, headers: Mapping[str, str], body: bytes, *, account: str, region: str) -> Answer:
        """Answer one request: status, headers, body.

        Args:
            path: ``/endpoints/<name>/invocations``.
            headers: With lower-case names.
            body: What the model is asked.
            account: Twelve digits.
            region: Region of the endpoint.
        """
        match = PATH.fullmatch(path)
        name = match["endpoint"] if match else ""
        try:
            endpoint = self._endpoint(name, account, region)
            config = self._config(endpoint)
            variant = self._variant(endpoint, config.description, headers)
            process = self._host(endpoint, config, variant)
            asked = Payload(body, headers.get("content-type", "application/octet-stream"))
            accept = headers.get("accept") or "*/*"
            content, content_type = process.invoke(body, asked.content_type, accept, _TIMEOUT_SECONDS)
        except ServiceError as error:
            return _refusal(error.code, error.message, error.status)
        except (ModelError, StagingError) as error:
            said = f'Received server error (500) from primary with message "{error}"'
            return _refusal("ModelError", said, 424, OriginalStatusCode=500, OriginalMessage=str(error))
        event_id = str(uuid.uuid4())
        exchange = Exchange(
            endpoint.name,
            variant["VariantName"],
            event_id,
            headers.get(f"{_HEADER}inference-id", ""),
            asked,
            Payload(content, content_type),
        )
        self.capture.capture(config.description, exchange, self._foundation.s3_for(endpoint))
        return (
            200,
            {
                "Content-Type": content_type,
                "Content-Length": str(len(content)),
                "x-amzn-RequestId": event_id,
                "x-Amzn-Invoked-Production-Variant": variant["VariantName"],
            },
            content,
        )

    def hear(self, change: ResourceChanged) -> None:
        """End the models that an endpoint serves no more."""
        if change.kind != _KIND:
            return
        serving = None if change.deleted else change.description.get("EndpointConfigName")
        with self._lock:
            ended = [key for key in self._runs if key[0] == change.arn and key[1] != serving]
            runs = [self._runs.pop(key) for key in ended]
            for key in ended:
                self._hosts.pop(key, None)
        for run in runs:
            run.stop()

    def forget(self) -> None:
        """Forget all models; whoever calls this ends their processes."""
        self.capture.discard()
        with self._lock:
            self._hosts.clear()
            self._runs.clear()

    def _endpoint(self, name: str, account: str, region: str) -> Resource:
        found = self._foundation.store.find(Call("InvokeEndpoint", {}, account, region), _KIND, name)
        if found is None:
            raise ServiceError("ValidationError", f"Endpoint {name} of account {account} not found.")
        if found.status not in _SERVING or "ProductionVariants" not in found.description:
            raise ServiceError("ValidationError", f"Endpoint {found.arn} is {found.status}: it cannot be invoked.")
        return found

    def _config(self, endpoint: Resource) -> Resource:
        name = endpoint.description["EndpointConfigName"]
        found = self._foundation.store.find(endpoint.call("DescribeEndpointConfig", {}), _CONFIG_KIND, name)
        if found is None:
            raise ServiceError("ValidationError", f"The configuration {name} of endpoint {endpoint.arn} was deleted.")
        return found

    def _variant(self, endpoint: Resource, config: Description, headers: Mapping[str, str]) -> Description:
        variants: dict[str, Description] = {each["VariantName"]: each for each in config["ProductionVariants"]}
        wanted = headers.get(f"{_HEADER}target-variant")
        if wanted is not None:
            if wanted not in variants:
                raise ServiceError("ValidationError", f"Variant {wanted} not found for endpoint {endpoint.name}.")
            return variants[wanted]
        weights = {each["VariantName"]: each["CurrentWeight"] for each in endpoint.description["ProductionVariants"]}
        shares = [weights.get(name, 0.0) for name in variants]
        (chosen,) = self._chooser.choices(list(variants), shares if sum(shares) else None)
        return variants[chosen]

    def _host(self, endpoint: Resource, config: Resource, variant: Description) -> ModelProcess:
        key = (endpoint.arn, config.name, variant["VariantName"])
        with self._lock:
            found = self._hosts.get(key)
            if found is None:
                found = self._hosts[key] = Future()
                name = f"{endpoint.arn}/{config.name}/{variant['VariantName']}"
                work = partial(self._serve, endpoint, variant["ModelName"], found, key)
                self._runs[key] = self._foundation.pool.start(name, work, has_container=False)
        return found.result()

    def _serve(
        self,
        endpoint: Resource,
        model_name: str,
        ready: Future[ModelProcess],
        key: tuple[str, str, str],
        run: JobRun,
    ) -> None:
        try:
            call = endpoint.call("DescribeModel", {})
            containers = self._models.containers(call, model_name)
            if len(containers) != 1:
                raise StagingError(f"The local cloud serves models of one container, not of {len(containers)}")
            role = self._models.find(call, model_name).description.get("ExecutionRoleArn", "")
            folder = ContainerFolder.of(self._foundation, endpoint)
            environment = base_environment(self._foundation, endpoint, role)
            s3 = self._foundation.s3_for(endpoint)
            with serve_model(run, folder, containers[0], s3, environment) as process:
                ready.set_result(process)
                while not run.is_stopping:
                    run.pause(_TIMEOUT_SECONDS)
        except (ServiceError, StagingError, ModelError) as error:
            # The next request tries again, as the next container would.
            with self._lock:
                self._hosts.pop(key, None)
                self._runs.pop(key, None)
            if not ready.done():
                ready.set_exception(error)


def _refusal(code: str, message: str, status: int, **more: Any) -> Answer:
    content = json.dumps({"Message": message, **more}).encode()
    return (
        status,
        {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "x-amzn-ErrorType": code,
            "x-amzn-RequestId": str(uuid.uuid4()),
        },
        content,
    )
