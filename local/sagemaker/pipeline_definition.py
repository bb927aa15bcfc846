"""A pipeline's definition: JSON as the SageMaker SDK writes it, its references and functions.

The language is that of the "SageMaker Pipelines Pipeline Definition JSON Schema" (version 2020-12-01):
``{"Get": ...}``, ``{"Std:Join": ...}``, ``{"Std:JsonGet": ...}`` and the conditions of condition steps.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PATH_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_CASTS: dict[str, Callable[[str], Any]] = {"String": str, "Integer": int, "Float": float}
# How the SDK names the entries of a list in a path, e.g. Outputs['train'] of a processing job.
_ENTRY_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


class DefinitionError(Exception):
    """The definition, or a value that it refers to, is not what it must be."""


@dataclass(frozen=True)
class Step:
    """One step, and the steps that must have ended before it."""

    name: str
    step_type: str
    arguments: Mapping[str, Any]
    depends_on: frozenset[str]
    property_files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    display_name: str | None = None
    description: str | None = None
    branches: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    queue: Any = None
    """Of a callback step: the queue's URL, or what refers to it."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of the pipeline."""

    name: str
    kind: str
    default: Any = None
    choices: tuple[Any, ...] = ()

    def read(self, text: str) -> Any:
        """Return the value that an execution gives as text.

        Raises:
            DefinitionError: It is not of the parameter's type, or not one of its values.
        """
        if self.kind == "Boolean":
            if text.lower() not in {"true", "false"}:
                raise DefinitionError(f"Value '{text}' of parameter {self.name} is not a Boolean: give true or false")
            return text.lower() == "true"
        try:
            value = _CASTS.get(self.kind, str)(text)
        except ValueError as error:
            raise DefinitionError(f"Value '{text}' of parameter {self.name} is not of type {self.kind}") from error
        if self.choices and value not in self.choices:
            raise DefinitionError(f"Value '{text}' of parameter {self.name} is not one of {list(self.choices)}")
        return value


@dataclass(frozen=True)
class Definition:
    """A definition that was read: parameters, top-level steps, and every step by name, those of branches included."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    first: frozenset[str]


def read_definition(text: str) -> Definition:
    """Read a definition.

    Raises:
        DefinitionError: It is not JSON of the right form, a name is given twice, or a step depends on what is not
            there.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DefinitionError(f"PipelineDefinition is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Steps"), list):
        raise DefinitionError("PipelineDefinition must be an object with a list of Steps")
    parameters = {}
    for entry in document.get("Parameters", []):
        parameter = _read_parameter(entry)
        parameters[parameter.name] = parameter
    steps: dict[str, Step] = {}
    first = frozenset(_read_steps(document["Steps"], steps))
    for step in steps.values():
        missing = sorted(step.depends_on - set(steps))
        if missing:
            raise DefinitionError(f"Step {step.name} depends on step {missing[0]}, which the pipeline does not have")
    _refuse_circles(steps)
    _refuse_unknown_parameters(document["Steps"], set(parameters))
    return Definition(parameters, steps, first)


def _read_parameter(entry: Mapping[str, Any]) -> Parameter:
    try:
        return Parameter(entry["Name"], entry["Type"], entry.get("DefaultValue"), tuple(entry.get("EnumValues", ())))
    except KeyError as error:
        raise DefinitionError(f"A parameter of the pipeline has no {error.args[0]}: {dict(entry)}") from error


def _read_steps(entries: Sequence[Any], steps: dict[str, Step]) -> Iterator[str]:
    for entry in entries:
        if not isinstance(entry, dict) or "Name" not in entry or "Type" not in entry:
            raise DefinitionError(f"A step needs a Name and a Type: {json.dumps(entry)[:200]}")
        name, arguments = entry["Name"], entry.get("Arguments", {})
        if name in steps:
            raise DefinitionError(f"More than one step is named {name}: step names must be unique")
        own, branches = arguments, ((), ())
        if entry["Type"] == "Condition":
            own = {"Conditions": arguments.get("Conditions", [])}
        steps[name] = Step(
            name=name,
            step_type=entry["Type"],
            arguments=own,
            depends_on=frozenset(entry.get("DependsOn", [])) | frozenset(_referred_steps(own)),
            property_files={
                each["PropertyFileName"]: (each["OutputName"], each["FilePath"])
                for each in entry.get("PropertyFiles", [])
            },
            display_name=entry.get("DisplayName"),
            description=entry.get("Description"),
            branches=branches,
            queue=entry.get("SqsQueueUrl"),
        )
        if entry["Type"] == "Condition":
            chosen = tuple(_read_steps(arguments.get("IfSteps", []), steps))
            other = tuple(_read_steps(arguments.get("ElseSteps", []), steps))
            steps[name] = _with_branches(steps[name], (chosen, other))
        yield name


def _with_branches(step: Step, branches: tuple[tuple[str, ...], tuple[str, ...]]) -> Step:
    return Step(**{**step.__dict__, "branches": branches})


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            yield value["Get"]
            return
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _referred_steps(arguments: Mapping[str, Any]) -> Iterator[str]:
    for reference in _references(arguments):
        root, _, rest = reference.partition(".")
        if root == "Steps":
            yield _path_parts(rest)[0]


def _refuse_circles(steps: Mapping[str, Step]) -> None:
    open_names: dict[str, set[str]] = {name: set(step.depends_on) for name, step in steps.items()}
    while open_names:
        ready = [name for name, needs in open_names.items() if not needs & set(open_names)]
        if not ready:
            raise DefinitionError(f"The steps {', '.join(sorted(open_names))} depend on each other in a circle")
        for name in ready:
            del open_names[name]


def _refuse_unknown_parameters(steps: Sequence[Any], known: set[str]) -> None:
    for reference in _references(list(steps)):
        root, _, name = reference.partition(".")
        if root == "Parameters" and name not in known:
            raise DefinitionError(f"{reference} is not one of the pipeline's Parameters")
        if root not in {"Parameters", "Steps", "Execution"}:
            raise DefinitionError(f"{reference} is no reference: begin with Parameters, Steps or Execution")


@dataclass(frozen=True)
class Scope:
    """What an execution's references mean.

    Attributes:
        parameters: Values by name.
        execution: Variables of the execution by name.
        properties: The Describe answer of a step that has succeeded, by the step's name.
        read_property_file: Returns the JSON document of a step's property file.
    """

    parameters: Mapping[str, Any]
    execution: Mapping[str, Any]
    properties: Callable[[str], Mapping[str, Any]]
    read_property_file: Callable[[str, str], Any]

    def evaluate(self, value: Any) -> Any:
        """Return ``value`` with its references and functions replaced by what they mean.

        Raises:
            DefinitionError: A reference leads nowhere.
        """
        if isinstance(value, list):
            return [self.evaluate(item) for item in value]
        if not isinstance(value, dict):
            return value
        match value:
            case {"Get": str(reference), **rest} if not rest:
                return self._get(reference)
            case {"Std:Join": {"On": str(separator), "Values": values}, **rest} if not rest:
                return separator.join(_text(self.evaluate(item)) for item in values)
            case {"Std:JsonGet": {"PropertyFile": {"Get": str(reference)}, "Path": path}, **rest} if not rest:
                return self._json_get(reference, str(self.evaluate(path)))
        return {name: self.evaluate(item) for name, item in value.items()}

    def holds(self, condition: Mapping[str, Any]) -> bool:
        """Tell whether a condition of a condition step holds.

        Raises:
            DefinitionError: Its type is unknown, or its values cannot be compared.
        """
        match condition:
            case {"Type": "Not", "Expression": inner}:
                return not self.holds(inner)
            case {"Type": "Or", "Conditions": alternatives}:
                return any(self.holds(each) for each in alternatives)
            case {"Type": "In", "QueryValue": wanted, "Values": values}:
                return bool(self.evaluate(wanted) in self.evaluate(values))
            case {"Type": str(kind), "LeftValue": left, "RightValue": right} if kind in _COMPARE:
                return _compare(kind, self.evaluate(left), self.evaluate(right))
        raise DefinitionError(f"The condition {json.dumps(condition)} is of no known type")

    def _get(self, reference: str) -> Any:
        root, _, rest = reference.partition(".")
        if root == "Steps":
            name, *path = _path_parts(rest)
            return follow(self.properties(str(name)), path, reference)
        known = {"Parameters": self.parameters, "Execution": self.execution}.get(root, {})
        if rest not in known:
            raise DefinitionError(f"{reference} has no value")
        return known[rest]

    def _json_get(self, reference: str, path: str) -> Any:
        parts = _path_parts(reference.partition(".")[2])
        match parts:
            case [str(step), "PropertyFiles", str(file)]:
                document = self.read_property_file(step, file)
                return follow(document, _path_parts(path.removeprefix("$")), f"{reference} {path}")
        raise DefinitionError(f"{reference} is no property file: write Steps.<step>.PropertyFiles.<file>")


def _compare(kind: str, left: Any, right: Any) -> bool:
    try:
        return _COMPARE[kind](left, right)
    except TypeError as error:
        raise DefinitionError(f"{left!r} and {right!r} cannot be compared by {kind}") from error


def _path_parts(path: str) -> list[Any]:
    """Return the parts of ``A.B[0]['c']``: names, and positions as numbers."""
    parts: list[Any] = []
    position = 0
    while position < len(path):
        match = _PATH_PART.match(path, position)
        if match is None:
            raise DefinitionError(f"'{path}' is not a path: write A.B[0]['name']")
        plain, index, single, double = match.groups()
        parts.append(int(index) if index is not None else next(p for p in (plain, single, double) if p is not None))
        position = match.end()
    return parts


def follow(value: Any, path: Sequence[Any], reference: str) -> Any:
    """Return what ``path`` leads to in a document; entries of lists may be named by their own names.

    Raises:
        DefinitionError: It leads nowhere.
    """
    for part in path:
        try:
            value = _entry(value, part) if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, StopIteration) as error:
            raise DefinitionError(f"{reference} leads nowhere at {part!r}") from error
    return value


def _entry(entries: list[Any], part: Any) -> Any:
    if isinstance(part, int):
        return entries[part]
    return next(entry for entry in entries if any(entry.get(name) == part for name in _ENTRY_NAMES))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
