"""The comparisons of a JSONPath choice.

Source: "Choice workflow state", developer guide, list of comparison operators.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from local.step_functions import json_paths
from local.step_functions.documents import Document
from local.step_functions.failures import StateFailure
from local.step_functions.json_paths import Surroundings

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_OPERATOR = re.compile(r"(String|Numeric|Boolean|Timestamp)((?:Less|Greater)Than(?:Equals)?|Equals)(Path)?")


def holds(rule: Document, value: Any, around: Surroundings) -> bool:
    """Tell whether a rule holds for a choice's input.

    Raises:
        StateFailure: ``States.Runtime`` where a path selects nothing.
    """
    if "And" in rule:
        return all(holds(part, value, around) for part in rule["And"])
    if "Or" in rule:
        return any(holds(part, value, around) for part in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], value, around)
    if "IsPresent" in rule:
        return bool(_is_present(rule["Variable"], value, around) == rule["IsPresent"])
    found = json_paths.resolve(rule["Variable"], value, around, "Variable")
    return any(_is_met(name, expected, found, value, around) for name, expected in rule.items())


def _is_met(name: str, expected: Any, found: Any, value: Any, around: Surroundings) -> bool:
    """Tell whether one member of a rule is a comparison that the value ``found`` meets."""
    if name in _IS:
        return bool(_IS[name](found) == expected)
    if name == "StringMatches":
        return isinstance(found, str) and re.fullmatch(_pattern(expected), found, re.DOTALL) is not None
    named = _OPERATOR.fullmatch(name)
    if named is None:
        return False
    other = json_paths.resolve(expected, value, around, name) if named[3] else expected
    return _compare(named[1], _COMPARISONS[named[2]], found, other)


def _is_present(path: str, value: Any, around: Surroundings) -> bool:
    try:
        json_paths.resolve(path, value, around, "Variable")
    except StateFailure:
        return False
    return True


def _compare(kind: str, comparison: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if not (_OF_KIND[kind](left) and _OF_KIND[kind](right)):
        return False
    if kind == "Timestamp":
        return comparison(datetime.fromisoformat(left), datetime.fromisoformat(right))
    return comparison(left, right)


def _is_timestamp(value: Any) -> bool:
    if not isinstance(value, str) or "T" not in value:
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _pattern(text: str) -> str:
    """Return a regular expression for a text in which ``*`` stands for anything, and for itself after a backslash."""
    parts = re.split(r"(\\.|\*)", text)
    return "".join(".*" if part == "*" else re.escape(part[1:] if part[:1] == "\\" else part) for part in parts)


_OF_KIND: dict[str, Callable[[Any], bool]] = {
    "String": lambda value: isinstance(value, str),
    "Numeric": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "Boolean": lambda value: isinstance(value, bool),
    "Timestamp": _is_timestamp,
}
_IS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    **{f"Is{kind}": check for kind, check in _OF_KIND.items()},
}
