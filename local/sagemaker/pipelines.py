"""Pipelines and their executions: steps in the order of their dependencies, each a job that really runs."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import caller_context, invalid, not_found
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, is_descending, list_operation, page
from local.sagemaker.pipeline_definition import Definition, DefinitionError, Scope, Step, read_definition
from local.sagemaker.pipeline_steps import StepParts, StepRun, StepStarter, step_record
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.s3_files import StagingError, download_object

PIPELINE = "pipeline"
EXECUTION = "pipeline-execution"
_TERMINAL = {"Succeeded", "Failed", "Stopped"}
_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 12
_MAX_PARALLEL_STEPS = 50  # "Pipelines … concurrently run steps: 50" unless ParallelismConfiguration says otherwise
_MAX_REASON = 1024
_FAILED = "Step failure: One or multiple steps failed"


@dataclass
class _Execution:
    """An execution and what it knows."""

    resource: Resource
    definition: Definition
    definition_text: str
    parameters: Mapping[str, Any]
    given: list[Description]
    runs: dict[str, StepRun] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    succeeded: set[str] = field(default_factory=set)
    failed: bool = False


class Pipelines:
    """Create, describe, list, update and delete of pipelines; start, describe, list and stop of executions."""

    def __init__(self, parts: StepParts) -> None:
        self._parts = parts
        self._foundation = parts.foundation
        self._store = parts.foundation.store
        self._executions: dict[str, _Execution] = {}
        self._by_token: dict[tuple[str, str, str], str] = {}
        self._chooser = random.SystemRandom()

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        model = self._foundation.model
        pipelines = Listing(PIPELINE, "PipelineName", descending=True, more=_last_execution, keep=_has_prefix)
        executions = Listing(EXECUTION, "PipelineExecutionArn", descending=True, more=_started, keep=self._is_of)
        list_executions = list_operation(model, self._store, "ListPipelineExecutions", executions)
        return {
            "CreatePipeline": self._create,
            "DescribePipeline": lambda call: self._store.describe(self._find(call)),
            "ListPipelines": list_operation(model, self._store, "ListPipelines", pipelines),
            "UpdatePipeline": self._update,
            "DeletePipeline": self._delete,
            "StartPipelineExecution": self._start,
            "DescribePipelineExecution": lambda call: self._store.describe(self._execution(call).resource),
            "ListPipelineExecutions": lambda call: list_executions(call) if self._find(call) else {},
            "ListPipelineExecutionSteps": self._list_steps,
            "ListPipelineParametersForExecution": self._list_parameters,
            "DescribePipelineDefinitionForExecution": self._describe_definition,
            "UpdatePipelineExecution": self._update_execution,
            "StopPipelineExecution": self._stop,
        }

    def _create(self, call: Call) -> Description:
        parameters, now = call.parameters, utc_now()
        name, made = parameters["PipelineName"], self._made_by_token(call)
        if made:
            return {"PipelineArn": made}
        text = self._definition_text(call)
        description = {
            **self._foundation.described_members("DescribePipeline", parameters),
            "PipelineArn": call.arn(f"{PIPELINE}/{name}"),
            "PipelineDisplayName": parameters.get("PipelineDisplayName", name),
            "PipelineDefinition": text,
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": caller_context(call),
            "LastModifiedBy": caller_context(call),
        }
        pipeline = self._foundation.new_resource(call, PIPELINE, name, description)
        if not self._store.add(pipeline):
            raise ServiceError(
                "ConflictException",
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists.",
            )
        self._by_token[_token(call)] = pipeline.arn
        return {"PipelineArn": pipeline.arn}

    def _update(self, call: Call) -> Description:
        pipeline = self._find(call)
        members = {
            name: call.parameters[name]
            for name in ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
            if name in call.parameters
        }
        if "PipelineDefinition" in call.parameters or "PipelineDefinitionS3Location" in call.parameters:
            members["PipelineDefinition"] = self._definition_text(call)
        changed = {"LastModifiedTime": utc_now(), "LastModifiedBy": caller_context(call)}
        self._store.update(pipeline, {**members, **changed})
        return {"PipelineArn": pipeline.arn}

    def _delete(self, call: Call) -> Description:
        pipeline = self._find(call)
        running = [
            each.arn
            for each in self._store.of_kind(call, EXECUTION)
            if each.description["PipelineArn"] == pipeline.arn and each.status not in _TERMINAL
        ]
        if running:
            raise ServiceError(
                "ConflictException", f"{running[0]} is running: stop it before you delete {pipeline.arn}"
            )
        self._store.remove(pipeline)
        return {"PipelineArn": pipeline.arn}

    def _definition_text(self, call: Call) -> str:
        parameters = call.parameters
        text, location = parameters.get("PipelineDefinition"), parameters.get("PipelineDefinitionS3Location")
        if (text is None) == (location is None):
            raise invalid("Give either PipelineDefinition or PipelineDefinitionS3Location")
        if location is not None:
            uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
            text = download_object(self._foundation.s3(call.region, call.account), uri).decode()
        try:
            read_definition(str(text))
        except DefinitionError as error:
            raise invalid(f"Unable to parse pipeline definition. {error}") from error
        return str(text)

    def _start(self, call: Call) -> Description:
        pipeline, made = self._find(call), self._made_by_token(call)
        if made:
            return {"PipelineExecutionArn": made}
        if "SelectiveExecutionConfig" in call.parameters or "PipelineVersionId" in call.parameters:
            raise invalid("The local cloud runs the whole pipeline as it is now: leave the selection and version out")
        text = pipeline.description["PipelineDefinition"]
        definition, now = read_definition(text), utc_now()
        given = list(call.parameters.get("PipelineParameters", []))
        values = _parameter_values(definition, given)
        name = "".join(self._chooser.choices(_ALPHABET, k=_ID_LENGTH))
        arn = f"{pipeline.arn}/execution/{name}"
        settings = self._foundation.described_members("DescribePipelineExecution", call.parameters)
        description = {
            "PipelineExecutionDisplayName": f"execution-{int(now.timestamp() * 1000)}",
            **({"ParallelismConfiguration": config} if (config := _parallelism(pipeline)) else {}),
            **settings,
            "PipelineArn": pipeline.arn,
            "PipelineExecutionArn": arn,
            "PipelineExecutionStatus": "Executing",
            "PipelineExperimentConfig": {"ExperimentName": pipeline.name.lower(), "TrialName": name},
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": caller_context(call),
            "LastModifiedBy": caller_context(call),
        }
        resource = self._foundation.new_resource(call, EXECUTION, f"{pipeline.name}/{name}", description, arn=arn)
        execution = _Execution(resource, definition, text, values, given)
        with self._store.lock:
            self._executions[arn] = execution
            self._by_token[_token(call)] = arn
        self._store.update(pipeline, {"LastRunTime": now}, silent=True)
        self._store.add(resource)
        self._foundation.pool.start(arn, partial(self._run, execution), has_container=False)
        return {"PipelineExecutionArn": arn}

    def _stop(self, call: Call) -> Description:
        execution = self._execution(call).resource
        stopping = {"PipelineExecutionStatus": "Stopping", "LastModifiedTime": utc_now()}
        run = self._foundation.pool.find(execution.arn)
        if run is None or not self._store.update(execution, lambda now: stopping if _is_executing(now) else None):
            raise ServiceError(
                "ConflictException",
                f"Pipeline execution with ARN {execution.arn} is {execution.status}: it cannot be stopped",
            )
        run.stop()
        return {"PipelineExecutionArn": execution.arn}

    def _update_execution(self, call: Call) -> Description:
        execution = self._execution(call).resource
        members = {name: value for name, value in call.parameters.items() if name != "PipelineExecutionArn"}
        self._store.update(execution, {**members, "LastModifiedTime": utc_now()}, silent=True)
        return {"PipelineExecutionArn": execution.arn}

    def _list_steps(self, call: Call) -> Description:
        if "PipelineExecutionArn" not in call.parameters:
            raise invalid("Value null at 'pipelineExecutionArn' failed to satisfy constraint: Member must not be null")
        execution = self._execution(call)
        with self._store.lock:
            steps = [self._store.describe(run.record) for run in execution.runs.values()]
        steps.sort(key=lambda step: (step["StartTime"], step["StepName"]), reverse=is_descending(call, default=True))
        chosen, token = page(call, steps)
        summaries = [self._foundation.summary("PipelineExecutionStep", step) for step in chosen]
        return {"PipelineExecutionSteps": summaries} | token

    def _list_parameters(self, call: Call) -> Description:
        execution = self._execution(call)
        values = [{"Name": name, "Value": str(value)} for name, value in execution.parameters.items()]
        chosen, token = page(call, values)
        return {"PipelineParameters": chosen} | token

    def _describe_definition(self, call: Call) -> Description:
        execution = self._execution(call)
        created = execution.resource.description["CreationTime"]
        return {"PipelineDefinition": execution.definition_text, "CreationTime": created}

    def _find(self, call: Call) -> Resource:
        name = call.parameters["PipelineName"].rpartition("/")[2]
        missing = not_found(f"Pipeline '{call.arn(f'{PIPELINE}/{name}')}' does not exist.")
        return self._foundation.find(call, PIPELINE, name, missing)

    def _execution(self, call: Call) -> _Execution:
        arn = call.parameters["PipelineExecutionArn"]
        name = "/".join(arn.partition(f":{PIPELINE}/")[2].split("/execution/"))
        resource = self._store.find(call, EXECUTION, name)
        if resource is None or resource.arn not in self._executions:
            raise not_found(f"Pipeline execution with ARN {arn} does not exist.")
        return self._executions[resource.arn]

    def _is_of(self, call: Call, execution: Resource) -> bool:
        return bool(execution.description["PipelineArn"] == self._find(call).arn)

    def _made_by_token(self, call: Call) -> str | None:
        """Return the ARN of what an earlier request with the same token made, while that exists."""
        arn = self._by_token.get(_token(call))
        return arn if arn and self._store.find_arn(arn) else None

    def _run(self, execution: _Execution, run: JobRun) -> None:
        starter = StepStarter(self._parts, execution.resource)
        scope = self._scope(execution, starter)
        execution.waiting = set(execution.definition.first)
        woken: Future[None] = Future()
        run.on_stop(partial(_wake, woken))
        try:
            while not run.is_stopping and not execution.failed:
                if self._start_ready(execution, starter, scope):
                    continue  # steps that are done at once may have made others ready
                busy = _unfinished(execution)
                if not busy:
                    break
                wait([*busy, woken], return_when=FIRST_COMPLETED)
                self._collect(execution)
            self._wind_up(execution, run)
        finally:
            self._end(execution, run)

    def _start_ready(self, execution: _Execution, starter: StepStarter, scope: Scope) -> bool:
        config = execution.resource.description.get("ParallelismConfiguration", {})
        limit = config.get("MaxParallelExecutionSteps", _MAX_PARALLEL_STEPS)
        ready = [
            execution.definition.steps[name]
            for name in sorted(execution.waiting)
            if execution.definition.steps[name].depends_on <= execution.succeeded
        ]
        started = ready[: max(0, limit - len(_unfinished(execution)))]
        for step in started:
            execution.waiting.discard(step.name)
            self._start_step(execution, step, starter, scope)
        self._collect(execution)
        return bool(started)

    def _start_step(self, execution: _Execution, step: Step, starter: StepStarter, scope: Scope) -> None:
        record = step_record(execution.resource, step)
        run = StepRun(step, record)
        with self._store.lock:
            execution.runs[step.name] = run
        self._store.update(record, {})
        try:
            starter.start(run, scope)
        except (DefinitionError, StagingError) as error:
            run.failure = f"ClientError: {error}"
        except ServiceError as error:
            run.failure = f"ClientError: Failed to start step {step.name}. Error Details: {error.code}: {error.message}"
        self._store.update(record, {"StepStatus": "Executing"})

    def _collect(self, execution: _Execution) -> None:
        """Tell the end of the steps that have ended, and bring in the branch that a condition chose."""
        for run in list(execution.runs.values()):
            if run.record.status != "Executing" or (run.finished is not None and not run.finished.done()):
                continue
            reason = run.failure_reason()
            ended: Description = {"StepStatus": "Succeeded" if reason is None else "Failed", "EndTime": utc_now()}
            if reason is not None:
                ended["FailureReason"] = reason[:_MAX_REASON]
                execution.failed = True
            else:
                execution.succeeded.add(run.step.name)
            if run.callback is not None:
                told = [{"Name": name, "Value": value} for name, value in run.callback.outputs.items()]
                metadata = run.record.description["Metadata"]["Callback"]
                ended["Metadata"] = {"Callback": {**metadata, **({"OutputParameters": told} if told else {})}}
            if run.outcome is not None:
                execution.waiting |= set(run.step.branches[0 if run.outcome else 1])
            self._store.update(run.record, ended)

    def _wind_up(self, execution: _Execution, run: JobRun) -> None:
        """Let the steps that run end, or stop them where the execution is to stop."""
        busy = [each for each in execution.runs.values() if each.record.status == "Executing"]
        if run.is_stopping:
            for each in busy:
                self._store.update(each.record, {"StepStatus": "Stopping"})
                try:
                    each.stop()
                except ServiceError:  # it ended by itself a moment ago
                    continue
        wait([each.finished for each in busy if each.finished is not None])
        self._collect(execution)
        for each in execution.runs.values():
            if each.record.status == "Stopping":
                self._store.update(each.record, {"StepStatus": "Stopped", "EndTime": utc_now()})

    def _end(self, execution: _Execution, run: JobRun) -> None:
        unknown = any(each.record.status not in _TERMINAL for each in execution.runs.values())
        members: Description = {"PipelineExecutionStatus": "Succeeded", "LastModifiedTime": utc_now()}
        if run.is_stopping:
            members["PipelineExecutionStatus"] = "Stopped"
        elif execution.failed or unknown:
            members |= {"PipelineExecutionStatus": "Failed", "FailureReason": _FAILED}
        self._store.update(execution.resource, members)

    def _scope(self, execution: _Execution, starter: StepStarter) -> Scope:
        description = execution.resource.description
        started = description["CreationTime"].isoformat()

        def succeeded(name: str) -> StepRun:
            if name not in execution.succeeded:
                raise DefinitionError(f"Step {name} has not succeeded: nothing can refer to it")
            return execution.runs[name]

        return Scope(
            parameters=execution.parameters,
            execution={
                "PipelineName": description["PipelineArn"].rpartition("/")[2],
                "PipelineArn": description["PipelineArn"],
                "PipelineExecutionArn": execution.resource.arn,
                "PipelineExecutionId": execution.resource.arn.rpartition("/")[2],
                "StartDateTime": started,
                "CurrentDateTime": started,
            },
            properties=lambda name: starter.properties(succeeded(name)),
            read_property_file=lambda name, file: starter.read_property_file(succeeded(name), file),
        )


def _unfinished(execution: _Execution) -> list[Future[None]]:
    runs = execution.runs.values()
    return [run.finished for run in runs if run.record.status == "Executing" and run.finished is not None]


def _wake(woken: Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _token(call: Call) -> tuple[str, str, str]:
    return call.account, call.region, f"{call.operation} {call.parameters['ClientRequestToken']}"


def _parameter_values(definition: Definition, given: list[Description]) -> dict[str, Any]:
    texts = {entry["Name"]: entry["Value"] for entry in given}
    unknown = sorted(set(texts) - set(definition.parameters))
    if unknown:
        raise invalid(f"Parameter [{unknown[0]}] is not one of the pipeline's parameters")
    values = {}
    for name, parameter in definition.parameters.items():
        if name not in texts and parameter.default is None:
            raise invalid(f"Parameter [{name}] has no default value: give it in PipelineParameters")
        try:
            values[name] = parameter.read(texts[name]) if name in texts else parameter.default
        except DefinitionError as error:
            raise invalid(str(error)) from error
    return values


def _parallelism(pipeline: Resource) -> Description | None:
    found: Description | None = pipeline.description.get("ParallelismConfiguration")
    return found


def _is_executing(execution: Description) -> bool:
    return bool(execution["PipelineExecutionStatus"] == "Executing")


def _last_execution(pipeline: Resource) -> Description:
    last = pipeline.description.get("LastRunTime")
    return {"LastExecutionTime": last} if last else {}


def _started(execution: Resource) -> Description:
    reason = execution.description.get("FailureReason")
    return {
        "StartTime": execution.description["CreationTime"],
        **({"PipelineExecutionFailureReason": reason} if reason else {}),
    }


def _has_prefix(call: Call, pipeline: Resource) -> bool:
    return pipeline.name.startswith(call.parameters.get("PipelineNamePrefix", ""))
