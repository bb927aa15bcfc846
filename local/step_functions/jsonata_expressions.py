"""JSONata in state machines.

``{% ... %}`` sees ``$states`` and the workflow's variables, and nothing else; what is undefined is an error. Sources:
"Transforming data with JSONata in Step Functions", developer guide, and the JSONata documentation.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ministack.services.stepfunctions import jsonata

from local.step_functions.failures import QUERY_EVALUATION, StateFailure

_NULL = jsonata.Utils.NULL_VALUE
_TIME_OUT_MILLISECONDS = 5000  # the machine is shared; AWS gives one second
# What the engine raises, also where the reference engine would raise an error of its own.
_FAILURES = (
    jsonata.JException,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


@dataclass(frozen=True)
class Names:
    """What an expression may refer to.

    Attributes:
        states: Members of ``$states``: ``input``, ``context``, and ``result`` or ``errorOutput`` where there is one.
        variables: Workflow variables by name, without ``$``.
    """

    states: Mapping[str, Any]
    variables: Mapping[str, Any]


def is_expression(value: Any) -> bool:
    """Tell whether a field's value is an expression."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def syntax_error(expression: str) -> str | None:
    """Return why ``{% ... %}`` cannot be parsed, if it cannot."""
    try:
        _parsed(_inside(expression))
    except jsonata.JException as error:
        return _reason(error)
    return None


def fill(template: Any, names: Names, field: str) -> Any:
    """Return a template with each expression in it replaced by its value.

    Args:
        template: A JSON value with expressions in its strings.
        names: What they refer to.
        field: Where the template stands, e.g. ``Arguments/Payload``, for the failure's cause.

    Raises:
        StateFailure: ``States.QueryEvaluationError``.
    """
    if isinstance(template, str):
        return evaluate(template, names, field) if is_expression(template) else template
    if isinstance(template, Mapping):
        return {key: fill(value, names, f"{field}/{key}") for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, names, f"{field}[{index}]") for index, value in enumerate(template)]
    return template


def evaluate(expression: str, names: Names, field: str) -> Any:
    """Return the JSON value of one ``{% ... %}``.

    Raises:
        StateFailure: ``States.QueryEvaluationError``.
    """
    text = _inside(expression)
    said = f"The JSONata expression '{text}' specified for the field '{field}'"
    variables = {name: _NULL if value is None else value for name, value in names.variables.items()}
    try:
        parsed = _ready(_parsed(text))
        value = parsed.evaluate(None, {**variables, "states": dict(names.states)})
    except _FAILURES as error:
        raise StateFailure(QUERY_EVALUATION, f"{said} threw an error during evaluation. {_reason(error)}") from error
    if value is None:
        raise StateFailure(QUERY_EVALUATION, f"{said} returned nothing (undefined).")
    try:
        return _plain(value)
    except TypeError as error:
        raise StateFailure(QUERY_EVALUATION, f"{said} returned {error}, which is not JSON.") from error


def _inside(expression: str) -> str:
    return expression[2:-2].strip()


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Any:
    return jsonata.Jsonata.jsonata(text)


def _ready(parsed: Any) -> Any:
    """Return a copy for one evaluation in this thread: the syntax tree is shared, the environment is not."""
    own = copy.copy(parsed)
    own.environment = own.create_frame(jsonata.Jsonata.static_frame)
    own.environment.set_runtime_bounds(_TIME_OUT_MILLISECONDS, None)
    own.set_output_convert_nulls(False)
    for name, function in _FUNCTIONS.items():
        own.register_lambda(name, function)
    jsonata.Jsonata.CURRENT.jsonata = own
    return own


def _reason(error: Exception) -> str:
    code = getattr(error, "error", None)
    return f"{code}: {error}" if isinstance(code, str) and code else str(error)


def _plain(value: Any) -> Any:
    """Turn what the engine returns into JSON's own types.

    Raises:
        TypeError: It holds a function or a regular expression; the message names it.
    """
    if value is _NULL:
        return None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(str(value))
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    # Functions of the expression are symbols of its syntax tree, or Python's.
    raise TypeError("a function or a regular expression")


def _partition(array: list[Any] | None = None, size: float = 0) -> list[list[Any]] | None:
    width = math.floor(size)
    if width <= 0:
        raise ValueError("$partition takes a size of at least 1")
    return None if array is None else [array[start : start + width] for start in range(0, len(array), width)]


def _range(first: float, last: float, step: float) -> list[int]:
    start, end, stride = math.floor(first), math.floor(last), math.floor(step)
    if stride == 0:
        raise ValueError("$range takes a step other than 0")
    return list(range(start, end + (1 if stride > 0 else -1), stride))


def _hash(content: str, algorithm: str) -> str:
    if algorithm not in _HASHES:
        raise ValueError(f"$hash knows {', '.join(_HASHES)}, not {algorithm}")
    return hashlib.new(_HASHES[algorithm], content.encode(), usedforsecurity=False).hexdigest()


def _random(seed: float | None = None) -> float:
    return random.random() if seed is None else random.Random(math.floor(seed)).random()  # noqa: S311 - no secret


def _uuid() -> str:
    return str(uuid.uuid4())


def _parse(text: str) -> Any:
    return json.loads(text)


def _eval(*_arguments: Any) -> Any:
    raise ValueError("$eval is not supported by Step Functions: use $parse")


# "JSONata functions provided by Step Functions", developer guide.
_FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": _uuid,
    "parse": _parse,
    "eval": _eval,
}
