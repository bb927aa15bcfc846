"""SageMaker's API: requests in AWS's JSON protocol, answered by the parts of the stand-in."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationNotFoundError, ServiceModel

from local.sagemaker import lineage
from local.sagemaker.callbacks import Callbacks, SendMessage
from local.sagemaker.clients import ecr_client, publish_event, role_environment, s3_client, send_message
from local.sagemaker.contract import Call, Description, Listener, Operation, ServiceError
from local.sagemaker.endpoint_configs import EndpointConfigs
from local.sagemaker.endpoints import Endpoints
from local.sagemaker.events import EventPublisher, Publish
from local.sagemaker.experiments import Experiments
from local.sagemaker.feature_groups import FeatureGroups
from local.sagemaker.foundation import Foundation, RoleEnvironment, S3Clients
from local.sagemaker.generic_jobs import GenericJobs
from local.sagemaker.images import EcrClients, ImageRegistry
from local.sagemaker.invocations import PATH as INVOCATION_PATH
from local.sagemaker.invocations import Invocations
from local.sagemaker.jobs import JobPool
from local.sagemaker.labeling import LabelingJobs
from local.sagemaker.model_cards import ModelCards
from local.sagemaker.models import Models
from local.sagemaker.packages import ModelRegistry
from local.sagemaker.pipeline_steps import StepParts
from local.sagemaker.pipelines import Pipelines
from local.sagemaker.processing import ProcessingJobs
from local.sagemaker.resources import ResourceStore
from local.sagemaker.s3_files import StagingError
from local.sagemaker.settings import SageMakerSettings
from local.sagemaker.shapes import parse_request, serialise
from local.sagemaker.tags import Tagging
from local.sagemaker.telemetry import SendTelemetry, send_nothing
from local.sagemaker.training import TrainingJobs
from local.sagemaker.transform import TransformJobs
from local.sagemaker.tuning import TuningJobs

_CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGET = "x-amz-target"


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of SageMaker."""
    return botocore.session.get_session().get_service_model("sagemaker")


@cache
def _partition_of(region: str) -> str:
    partition: str = botocore.session.get_session().get_partition_for_region(region)
    return partition


class SageMakerService:
    """The stand-in; every method may be called from any thread.

    Attributes:
        operations: What answers each operation of the API.
        listeners: Called with each change of a resource, in the thread that makes it.
        reset_hooks: Called by :meth:`reset`.
        foundation: What the parts stand on.
        invocations: What answers the runtime API, ``InvokeEndpoint``.
    """

    def __init__(
        self,
        settings: SageMakerSettings | None = None,
        *,
        s3: S3Clients = s3_client,
        ecr: EcrClients = ecr_client,
        publish: Publish = publish_event,
        environment_of_role: RoleEnvironment = role_environment,
        send_telemetry: SendTelemetry = send_nothing,
        send_message: SendMessage = send_message,
    ) -> None:
        settings = settings or SageMakerSettings()
        store = ResourceStore()
        self.foundation = Foundation(
            model=service_model(),
            store=store,
            pool=JobPool(settings.parallel_jobs, settings.stop_grace_seconds),
            images=ImageRegistry(ecr),
            s3=s3,
            role_environment=environment_of_role,
            settings=settings,
            send_telemetry=send_telemetry,
        )
        self.listeners: list[Listener] = store.listeners
        self.reset_hooks: list[Callable[[], None]] = []
        self.events = EventPublisher(publish, settings.quirks)
        self.listeners.append(self.events)
        training, processing = TrainingJobs(self.foundation), ProcessingJobs(self.foundation)
        tuning = TuningJobs(self.foundation, training)
        registry = ModelRegistry(self.foundation)
        models = Models(self.foundation, registry)
        transform = TransformJobs(self.foundation, models)
        configs = EndpointConfigs(self.foundation, models)
        self.invocations = Invocations(self.foundation, models)
        self.listeners.append(self.invocations.hear)
        callbacks = Callbacks(send_message)
        steps = StepParts(self.foundation, training, processing, tuning, transform, models, registry, callbacks)
        parts = (
            training,
            processing,
            tuning,
            registry,
            models,
            transform,
            configs,
            Endpoints(self.foundation, models, configs),
            FeatureGroups(self.foundation),
            ModelCards(self.foundation),
            GenericJobs(self.foundation),
            Experiments(self.foundation),
            LabelingJobs(),
            Pipelines(steps),
            callbacks,
            Tagging(self.foundation),
        )
        self.operations: dict[str, Operation] = {
            name: operation for part in parts for name, operation in part.operations().items()
        }
        lineage.register(self)

    def handle(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        account: str,
        region: str,
        caller_arn: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request whose signature is already checked: status, headers, body.

        Args:
            method: HTTP method; the API knows ``POST`` alone.
            path: Path of the URL: ``/``, or that of the runtime API, which is signed for the same service.
            headers: With names in any case.
            body: JSON text.
            account: Twelve digits.
            region: Region of the endpoint.
            caller_arn: Who signed.
        """
        if method == "POST" and INVOCATION_PATH.fullmatch(path):
            named = {name.lower(): value for name, value in headers.items()}
            return self.invocations.handle(path, named, body, account=account, region=region)
        request_id = str(uuid.uuid4())
        try:
            target = {name.lower(): value for name, value in headers.items()}.get(_TARGET, "")
            name = self._operation_name(method, path, target)
            document = _decode(body)
            answer = self._answer(name, document, account, region, caller_arn)
            status = 200
        except ServiceError as error:
            status, answer = error.status, {"__type": error.code, "message": error.message}
        except StagingError as error:  # a request that names something on S3 that cannot be read
            status, answer = 400, {"__type": "ValidationException", "message": str(error)}
        text = json.dumps(answer).encode()
        return status, _response_headers(request_id, len(text)), text

    def call(self, call: Call) -> Description:
        """Answer a call that is validated already.

        Raises:
            ServiceError: AWS's error.
        """
        return self.operations[call.operation](call)

    def reset(self) -> None:
        """Forget every resource, end every running job, and remove their folders."""
        self.foundation.pool.end_all()
        self.invocations.forget()
        self.events.discard()
        self.foundation.store.clear()
        for hook in self.reset_hooks:
            hook()
        shutil.rmtree(self.foundation.settings.scratch, ignore_errors=True)

    def close(self) -> None:
        """End every running job and every thread."""
        self.invocations.capture.flush()
        self.foundation.pool.close()
        self.events.close()
        shutil.rmtree(self.foundation.settings.scratch, ignore_errors=True)

    def _operation_name(self, method: str, path: str, target: str) -> str:
        service, _, name = target.partition(".")
        if method != "POST" or path not in {"", "/"} or service != "SageMaker" or not name:
            raise ServiceError(
                "UnknownOperationException",
                f"{method} {path} with X-Amz-Target '{target}' names no operation: "
                "send POST / with X-Amz-Target: SageMaker.<Operation>",
                404,
            )
        try:
            self.foundation.model.operation_model(name)
        except OperationNotFoundError as error:
            raise ServiceError("UnknownOperationException", f"SageMaker has no operation {name}", 404) from error
        if name not in self.operations:
            raise ServiceError(
                "UnknownOperationException", f"The local cloud does not implement SageMaker's operation {name}", 501
            )
        return name

    def _answer(self, name: str, document: object, account: str, region: str, caller_arn: str) -> Any:
        model = self.foundation.model.operation_model(name)
        call = Call(
            operation=name,
            parameters=parse_request(model.input_shape, document),
            account=account,
            region=region,
            partition=_partition_of(region),
            caller_arn=caller_arn,
        )
        answer = self.call(call)
        return serialise(model.output_shape, answer) if model.output_shape else {}


def _decode(body: bytes) -> object:
    try:
        return json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The request's body is not JSON: {error}") from error


def _response_headers(request_id: str, length: int) -> dict[str, str]:
    return {
        "Content-Type": _CONTENT_TYPE,
        "Content-Length": str(length),
        "x-amzn-RequestId": request_id,
        "Date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }
