"""Bedrock's APIs, control plane and runtime, answered by the parts of the stand-in."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from local.bedrock.account_settings import Tagging
from local.bedrock.batch_jobs import BatchJobs
from local.bedrock.catalogue import Catalogue
from local.bedrock.clients import MayInvoke, Publish, S3OfRole, may_invoke, publish_event, role_s3_client
from local.bedrock.contract import Answer, Call, HttpRequest, Operation, ServiceError
from local.bedrock.customization import Customization
from local.bedrock.deployments import Deployments
from local.bedrock.evaluation_jobs import EvaluationJobs
from local.bedrock.events import EventPublisher
from local.bedrock.faults import Faults
from local.bedrock.foundation import Foundation
from local.bedrock.foundation_models import FoundationModels
from local.bedrock.human_evaluation import Workers
from local.bedrock.inference import Inference
from local.bedrock.invocation_logging import InvocationLogging, LogClients
from local.bedrock.rest import CONTROL_PLANE, RUNTIME, RestApi, rest_api
from local.bedrock.runtime import Runtime
from local.bedrock.settings import BedrockSettings
from local.envelopes import partition_of
from local.sagemaker.clients import s3_client
from local.sagemaker.jobs import JobPool
from local.sagemaker.resources import ResourceStore

Response = tuple[int, dict[str, str], bytes]


class BedrockService:
    """The stand-in; every method may be called from any thread.

    Attributes:
        faults: What goes wrong on demand, and what was asked of each model.
        inference: Asks models.
        foundation: What the jobs stand on.
        events: Publishes what happens to jobs.
        logging: Logs calls of models where the account asks for it.
        workers: The people who rate answers: whoever plays them.
        operations: What answers each operation, by service.
    """

    def __init__(
        self,
        settings: BedrockSettings | None = None,
        *,
        s3: S3OfRole = role_s3_client,
        may_invoke: MayInvoke = may_invoke,
        publish: Publish = publish_event,
        logs: LogClients = s3_client,
    ) -> None:
        self._settings = settings or BedrockSettings()
        self.faults = Faults()
        self.inference = Inference(Catalogue(self._settings), self.faults)
        runtime = Runtime(self.inference)
        store = ResourceStore()
        self.events = EventPublisher(publish)
        store.listeners.append(self.events)
        self.foundation = Foundation(
            store=store,
            pool=JobPool(1, self._settings.stop_grace_seconds),
            inference=self.inference,
            s3=s3,
            may_invoke=may_invoke,
            settings=self._settings,
        )
        self.workers = Workers()
        self.logging = InvocationLogging(logs, self._settings.log_seconds)
        control = (
            FoundationModels(self.inference.catalogue),
            EvaluationJobs(self.foundation, self.workers),
            BatchJobs(self.foundation, runtime),
            Customization(self.foundation),
            Deployments(self.foundation),
            Tagging(self.foundation),
            self.logging,
        )
        self.operations: dict[str, dict[str, Operation]] = {
            RUNTIME: runtime.operations(),
            CONTROL_PLANE: {name: operation for part in control for name, operation in part.operations().items()},
        }
        self._executor = ThreadPoolExecutor(self._settings.parallel_requests, thread_name_prefix="bedrock")

    async def respond(self, service: str, request: HttpRequest) -> Response:
        """Answer as :meth:`handle` does, from an event loop: a slow model holds up nobody, a slow answer no thread."""
        work = partial(self.handle, service, request)
        response, delay_seconds = await asyncio.get_running_loop().run_in_executor(self._executor, work)
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        return response

    def handle(self, service: str, request: HttpRequest) -> tuple[Response, float]:
        """Answer one request.

        Args:
            service: ``bedrock`` or ``bedrock-runtime``.
            request: The request.

        Returns:
            Status, headers and body, and the seconds to let pass before they are sent.
        """
        api = rest_api(service)
        call = None
        try:
            name, in_path = self._find(api, service, request)
            call = Call(
                operation=name,
                parameters=api.parse(name, in_path, request.query, request.headers, request.body),
                account=request.account,
                region=request.region,
                partition=partition_of(request.region),
                caller_arn=request.caller_arn,
            )
            answer = self.operations[service][name](call)
        except ServiceError as error:
            if call is not None and service == RUNTIME:
                self.logging.log(call, error)
            return api.write_error(error), 0.0
        if service == RUNTIME:
            self.logging.log(call, answer)
        if not isinstance(answer, Answer):
            return api.write(name, answer), 0.0
        if answer.stream:
            return api.write_stream(name, answer.stream), answer.delay_seconds
        return api.write(name, answer.members), answer.delay_seconds

    def reset(self) -> None:
        """Forget every resource, fault and count, and end every running job."""
        self.foundation.pool.end_all()
        self.foundation.clear()
        self.logging.clear()
        self.faults.clear()
        self.workers.clear()
        self.inference.catalogue.clear()

    def close(self) -> None:
        """End every running job and every thread."""
        self.logging.flush()
        self.foundation.pool.close()
        self.events.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _find(self, api: RestApi, service: str, request: HttpRequest) -> tuple[str, dict[str, str]]:
        found = api.find(request.method, request.path)
        if found is None:
            raise ServiceError(
                "UnknownOperationException", f"{request.method} {request.path} is no operation of {service}", 404
            )
        if found[0] not in self.operations[service]:
            raise ServiceError(
                "UnknownOperationException", f"The local cloud does not implement {service}:{found[0]}", 501
            )
        return found
