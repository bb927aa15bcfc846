"""What Step Functions refuses before it runs it.

Sources: Amazon States Language, states-language.net/spec.html; ``ValidateStateMachineDefinition`` and
``CreateStateMachine``, API reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.step_functions import jsonata_expressions, sdk_shapes
from local.step_functions.documents import Document
from local.step_functions.evaluations import JSONATA
from local.step_functions.failures import ALL
from local.step_functions.resources import Pattern, parse_resource

_SCHEMA = "SCHEMA_VALIDATION_FAILED"
_TRANSITION = "MISSING_TRANSITION_TARGET"
_EXPRESSION = "INVALID_JSONATA_EXPRESSION"
_NAME_LENGTH = 80
_LABEL_LENGTH = 40
_ENDING = frozenset({"Succeed", "Fail"})
_COMMON = frozenset({"Type", "Comment", "QueryLanguage"})
_FLOW = frozenset({"Next", "End"})
_PATHS = frozenset({"InputPath", "OutputPath", "Parameters", "ResultPath", "ResultSelector"})
_JSONATA_ONLY = frozenset({"Arguments", "Output"})
_HANDLING = frozenset({"Retry", "Catch"})
_SCOPE = frozenset({"Comment", "ProcessorConfig", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"})
# Members of each kind of state, besides those of every state.
_MEMBERS = {
    "Pass": _FLOW | {"InputPath", "OutputPath", "Parameters", "ResultPath", "Result", "Output", "Assign"},
    "Task": _FLOW
    | _PATHS
    | _JSONATA_ONLY
    | _HANDLING
    | {
        "Resource",
        "Assign",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
        "HeartbeatSeconds",
        "HeartbeatSecondsPath",
        "Credentials",
    },
    "Choice": {"Choices", "Default", "InputPath", "OutputPath", "Output", "Assign"},
    "Wait": _FLOW
    | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath", "InputPath", "OutputPath", "Output", "Assign"},
    "Succeed": {"InputPath", "OutputPath", "Output"},
    "Fail": {"Error", "ErrorPath", "Cause", "CausePath"},
    "Parallel": _FLOW | _PATHS | _JSONATA_ONLY | _HANDLING | {"Branches", "Assign"},
    "Map": _FLOW
    | _PATHS
    | _HANDLING
    | {
        "Assign",
        "Output",
        "Items",
        "ItemsPath",
        "ItemProcessor",
        "Iterator",
        "ItemSelector",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "Label",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
    },
}
_REQUIRED = {
    "Task": ("Resource",),
    "Choice": ("Choices",),
    "Parallel": ("Branches",),
}
_DISTRIBUTED_ONLY = ("ItemReader", "ItemBatcher", "ResultWriter", "Label", "ToleratedFailureCount")
_OF_JSONPATH = frozenset(
    {"InputPath", "OutputPath", "Parameters", "ResultPath", "ResultSelector", "ItemsPath", "SecondsPath"}
    | {"TimestampPath", "TimeoutSecondsPath", "HeartbeatSecondsPath", "MaxConcurrencyPath", "ErrorPath", "CausePath"}
)
_OF_JSONATA = frozenset({"Arguments", "Output", "Items"})
_RETRIER = frozenset(
    {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment"}
)


@dataclass(frozen=True)
class Diagnostic:
    """What is wrong with a definition.

    Attributes:
        code: E.g. ``SCHEMA_VALIDATION_FAILED``.
        message: What people read.
        location: Where, e.g. ``/States/AskModels``.
    """

    code: str
    message: str
    location: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} at {self.location or '/'}"


def diagnose(text: str) -> list[Diagnostic]:
    """Return what is wrong with the text of a definition; nothing where it is valid."""
    try:
        definition = json.loads(text)
    except ValueError as error:
        return [Diagnostic("INVALID_JSON_DESCRIPTION", str(error), "")]
    if not isinstance(definition, Mapping):
        return [Diagnostic(_SCHEMA, "The definition is no JSON object", "")]
    return [*_scope(definition, "", "JSONPath"), *_expressions(definition, "")]


def refusal_message(diagnostics: list[Diagnostic]) -> str:
    """Return the message of ``InvalidDefinition``."""
    return "Invalid State Machine Definition: '" + ", ".join(map(str, diagnostics)) + "'"


def _scope(definition: Document, at: str, language: str) -> Iterator[Diagnostic]:
    language = definition.get("QueryLanguage", language)
    for name in definition:
        if name not in _SCOPE:
            yield Diagnostic(_SCHEMA, f"The field '{name}' is not supported here", at)
    states = definition.get("States")
    if not isinstance(states, Mapping) or not states:
        yield Diagnostic(_SCHEMA, "The field 'States' is missing or empty", at)
        return
    start = definition.get("StartAt")
    if start not in states:
        yield Diagnostic(_TRANSITION, f"Missing 'Next' target: {start}", f"{at}/StartAt")
        return
    for name, state in states.items():
        place = f"{at}/States/{name}"
        if len(name) > _NAME_LENGTH:
            yield Diagnostic(_SCHEMA, f"The name of a state has at most {_NAME_LENGTH} characters", place)
        if not isinstance(state, Mapping) or state.get("Type") not in _MEMBERS:
            yield Diagnostic(_SCHEMA, f"The field 'Type' must be one of {', '.join(_MEMBERS)}", place)
            continue
        yield from _state(state, place, state.get("QueryLanguage", language))
        for target in _targets(state):
            if target not in states:
                yield Diagnostic(_TRANSITION, f"Missing 'Next' target: {target}", place)
    yield from _unreachable(states, str(start), at)


def _targets(state: Document) -> Iterator[Any]:
    if "Next" in state:
        yield state["Next"]
    if state.get("Type") == "Choice":
        yield from (rule.get("Next") for rule in state.get("Choices", []))
        if "Default" in state:
            yield state["Default"]
    yield from (catcher.get("Next") for catcher in state.get("Catch", []))


def _unreachable(states: Document, start: str, at: str) -> Iterator[Diagnostic]:
    reached, waiting = {start}, [start]
    while waiting:
        found = {name for name in _targets(states[waiting.pop()]) if name in states} - reached
        reached |= found
        waiting += found
    for name in states:
        if name not in reached:
            yield Diagnostic(_TRANSITION, f'State "{name}" is not reachable.', f"{at}/States/{name}")


def _state(state: Document, at: str, language: str) -> Iterator[Diagnostic]:
    kind = state["Type"]
    yield from _fields(state, at, language)
    yield from _handling(state, at)
    if kind == "Wait" and len({"Seconds", "SecondsPath", "Timestamp", "TimestampPath"} & set(state)) != 1:
        yield Diagnostic(_SCHEMA, "A Wait state has exactly one of Seconds, SecondsPath, Timestamp, TimestampPath", at)
    if kind == "Task" and "Resource" in state:
        yield from _resource(state, at)
    if kind == "Choice":
        yield from _choices(state, at, language)
    if kind == "Parallel":
        for index, branch in enumerate(state.get("Branches", [])):
            yield from _scope(branch, f"{at}/Branches[{index}]", language)
    if kind == "Map":
        yield from _map(state, at, language)


def _fields(state: Document, at: str, language: str) -> Iterator[Diagnostic]:
    kind = state["Type"]
    foreign = _OF_JSONPATH if language == JSONATA else _OF_JSONATA
    for name in state:
        if name not in _MEMBERS[kind] | _COMMON:
            yield Diagnostic(_SCHEMA, f"The field '{name}' is not supported by {kind} states", at)
        elif name in foreign:
            yield Diagnostic(_SCHEMA, f"The field '{name}' is not supported when the QueryLanguage is {language}", at)
    for name in _REQUIRED.get(kind, ()):
        if name not in state:
            yield Diagnostic(_SCHEMA, f"These fields are required: [{name}]", at)
    if kind not in _ENDING | {"Choice"} and ("Next" in state) == (state.get("End") is True):
        yield Diagnostic(_SCHEMA, "A state has either 'Next' or 'End': true", at)


def _handling(state: Document, at: str) -> Iterator[Diagnostic]:
    for field in ("Retry", "Catch"):
        handlers = state.get(field, [])
        for index, handler in enumerate(handlers):
            place = f"{at}/{field}[{index}]"
            errors = handler.get("ErrorEquals")
            if not isinstance(errors, list) or not errors:
                yield Diagnostic(_SCHEMA, "The field 'ErrorEquals' is missing or empty", place)
            elif ALL in errors and (len(errors) > 1 or index < len(handlers) - 1):
                yield Diagnostic(_SCHEMA, f"{ALL} stands alone, in the last {field}", place)
            if field == "Catch" and "Next" not in handler:
                yield Diagnostic(_SCHEMA, "These fields are required: [Next]", place)
            for name in handler if field == "Retry" else ():
                if name not in _RETRIER:
                    yield Diagnostic(_SCHEMA, f"The field '{name}' is not supported by retriers", place)


def _resource(state: Document, at: str) -> Iterator[Diagnostic]:
    try:
        resource = parse_resource(str(state["Resource"]))
    except ValueError as error:
        yield Diagnostic(_SCHEMA, str(error), f"{at}/Resource")
        return
    service = resource.sdk_service
    if service is None:
        return
    if resource.pattern in {Pattern.SYNC, Pattern.SYNC_2}:
        yield Diagnostic(_SCHEMA, f"aws-sdk integrations have no {resource.pattern.value}", f"{at}/Resource")
    try:
        operation = sdk_shapes.operation_model(service, resource.action)
        for field in ("Arguments", "Parameters"):
            if isinstance(given := state.get(field), Mapping):
                names = {name.removesuffix(".$"): None for name in given}
                sdk_shapes.to_request(names, operation.input_shape, field)
    except sdk_shapes.UnknownOperationError as error:
        yield Diagnostic(_SCHEMA, str(error), at)


def _choices(state: Document, at: str, language: str) -> Iterator[Diagnostic]:
    if not state.get("Choices"):
        yield Diagnostic(_SCHEMA, "The field 'Choices' is empty", at)
    for index, rule in enumerate(state.get("Choices", [])):
        place = f"{at}/Choices[{index}]"
        if "Next" not in rule:
            yield Diagnostic(_SCHEMA, "These fields are required: [Next]", place)
        if (language == JSONATA) != ("Condition" in rule):
            said = "required" if language == JSONATA else "not supported"
            yield Diagnostic(_SCHEMA, f"The field 'Condition' is {said} when the QueryLanguage is {language}", place)


def _map(state: Document, at: str, language: str) -> Iterator[Diagnostic]:
    processor = state.get("ItemProcessor", state.get("Iterator"))
    if not isinstance(processor, Mapping):
        yield Diagnostic(_SCHEMA, "These fields are required: [ItemProcessor]", at)
        return
    config = processor.get("ProcessorConfig", {})
    if config.get("Mode", "INLINE") == "DISTRIBUTED":
        if config.get("ExecutionType") not in {"STANDARD", "EXPRESS"}:
            yield Diagnostic(_SCHEMA, "ExecutionType must be STANDARD or EXPRESS in DISTRIBUTED mode", at)
    else:
        for name in _DISTRIBUTED_ONLY:
            if name in state:
                yield Diagnostic(_SCHEMA, f"The field '{name}' is supported in DISTRIBUTED mode only", at)
    if len(str(state.get("Label", ""))) > _LABEL_LENGTH:
        yield Diagnostic(_SCHEMA, f"A Label has at most {_LABEL_LENGTH} characters", at)
    yield from _scope(processor, f"{at}/ItemProcessor", language)


def _expressions(node: Any, at: str) -> Iterator[Diagnostic]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _expressions(value, f"{at}/{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _expressions(value, f"{at}[{index}]")
    elif jsonata_expressions.is_expression(node):
        wrong = jsonata_expressions.syntax_error(node)
        if wrong is not None:
            yield Diagnostic(_EXPRESSION, wrong, at)
