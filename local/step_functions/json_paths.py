"""JSONPath in state machines: reference paths, the context object, variables and intrinsic functions.

Filters, slices and intrinsic functions are MiniStack's; what is missing is an error here, as on AWS. Sources:
"Processing input and output in Step Functions" and "Passing data between states with variables", developer guide.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.services import stepfunctions

from local.step_functions.documents import to_text
from local.step_functions.failures import INTRINSIC_FAILURE, RESULT_PATH_MATCH, RUNTIME, StateFailure

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)(.*)", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]*?@()]+)|\['([^']*)'\]|\[(\d+)\]")


@dataclass(frozen=True)
class Surroundings:
    """What a path may refer to besides the data.

    Attributes:
        context: The context object, ``$$``.
        variables: Workflow variables by name, without ``$``.
    """

    context: Mapping[str, Any]
    variables: Mapping[str, Any]


def resolve(path: str, value: Any, around: Surroundings, field: str) -> Any:
    """Return what a path selects.

    Args:
        path: Path or intrinsic function.
        value: What ``$`` is.
        around: What ``$$`` and ``$name`` are.
        field: Where the path stands, for the failure's cause.

    Raises:
        StateFailure: ``States.Runtime`` where nothing is there, ``States.IntrinsicFailure``.
    """
    if path.startswith("States."):
        try:
            return stepfunctions._evaluate_intrinsic(path, value, dict(around.context))
        except stepfunctions._ExecutionError as error:
            raise StateFailure(INTRINSIC_FAILURE, error.cause) from error
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise StateFailure(INTRINSIC_FAILURE, f"{path} of the field '{field}': {error}") from error
    rest, root = path, value
    if path.startswith("$$"):
        rest, root = path[1:], around.context
    elif found := _VARIABLE.fullmatch(path):
        if found[1] not in around.variables:
            raise StateFailure(RUNTIME, f"The variable '${found[1]}' of the field '{field}' was never assigned")
        rest, root = f"${found[2]}", around.variables[found[1]]
    steps = _steps(rest)
    if steps is None:
        return stepfunctions._resolve_path(rest, root)
    for step in steps:
        try:
            root = root[step]
        except (KeyError, IndexError, TypeError) as error:
            raise StateFailure(
                RUNTIME,
                f"The JSONPath '{path}' specified for the field '{field}' could not be found in the input "
                f"'{to_text(value)[:2000]}'",
            ) from error
    return root


def fill(template: Any, value: Any, around: Surroundings, field: str) -> Any:
    """Return a payload template with each ``name.$`` replaced by what its path selects.

    Raises:
        StateFailure: See :func:`resolve`.
    """
    if isinstance(template, list):
        return [fill(item, value, around, field) for item in template]
    if not isinstance(template, Mapping):
        return template
    filled = {}
    for key, item in template.items():
        if key.endswith(".$"):
            if not isinstance(item, str):
                raise StateFailure(RUNTIME, f"The field '{field}/{key}' is no path: {to_text(item)}")
            filled[key[:-2]] = resolve(item, value, around, f"{field}/{key}")
        else:
            filled[key] = fill(item, value, around, f"{field}/{key}")
    return filled


def place(path: str | None, raw_input: Any, result: Any) -> Any:
    """Return a state's input with its result at ``ResultPath``.

    Raises:
        StateFailure: ``States.ResultPathMatchFailure`` where the input has no room for it.
    """
    if path is None:
        return raw_input
    if path == "$":
        return result
    steps = _steps(path)
    if not steps:
        raise StateFailure(RESULT_PATH_MATCH, f"ResultPath '{path}' is no reference path")
    output = copy.deepcopy(raw_input) if isinstance(raw_input, dict) else {}
    if raw_input is not None and not isinstance(raw_input, dict):
        raise StateFailure(
            RESULT_PATH_MATCH, f"Unable to apply ResultPath '{path}' to the input {to_text(raw_input)[:200]}"
        )
    place_in: Any = output
    try:
        for step in steps[:-1]:
            place_in = place_in.setdefault(step, {}) if isinstance(place_in, dict) else place_in[step]
        place_in[steps[-1]] = result
    except (KeyError, IndexError, TypeError) as error:
        raise StateFailure(RESULT_PATH_MATCH, f"Unable to apply ResultPath '{path}' to the input") from error
    return output


def _steps(path: str) -> list[str | int] | None:
    """Return names and indexes of a reference path, or ``None`` where the path is more than that."""
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            return None
        name, quoted, index = found.groups()
        steps.append(int(index) if index is not None else (name if name is not None else quoted))
        position = found.end()
    return steps
