"""Answers that are JSON: whether they follow a schema, and which of their fields are right."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from pydantic import Field, field_validator

from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import (
    BestMatchScorer,
    ScorerSettings,
    TextScorer,
    binary,
    share,
    signature_of,
)

_FENCED = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d+)\]")
_ABSENT = object()


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def read_json(text: str, *, fenced: bool) -> Any:
    """Return what an answer's JSON says.

    Args:
        text: The answer.
        fenced: Whether the JSON may stand in a fenced block of Markdown, with text around it; the last block counts.

    Raises:
        ValueError: It is no JSON (RFC 8259: NaN and Infinity are none), or nested too deeply.
    """
    blocks = _FENCED.findall(text) if fenced else []
    try:
        return json.loads(blocks[-1] if blocks else text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error


class JsonSchemaSettings(ScorerSettings):
    """The answer is JSON that follows a schema."""

    json_schema: dict[str, Any] = Field(default_factory=dict, alias="schema")
    """JSON Schema; without one, any JSON will do. A reference to another document is not followed."""
    fenced: bool = True
    """Whether the JSON may stand in a fenced block of Markdown."""

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if not schema:
            return schema
        from jsonschema.exceptions import SchemaError  # noqa: PLC0415 - where no schema is given, nothing waits for it
        from jsonschema.validators import validator_for  # noqa: PLC0415

        try:
            validator_for(schema).check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"it is no JSON Schema ({error.message} at {error.json_path}): mend it") from error
        return schema

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        canonical = json.dumps(self.json_schema, sort_keys=True, separators=(",", ":"))
        return TextScorer(
            binary("json_valid", "Valid JSON"),
            lambda text: float(self._follows(text, canonical)),
            signature_of("json_schema", 1, fenced=self.fenced, schema=canonical),
        )

    def _follows(self, text: str, canonical: str) -> bool:
        try:
            value = read_json(text, fenced=self.fenced)
        except ValueError:
            return False
        return not self.json_schema or _is_valid(value, canonical)


def _is_valid(value: Any, canonical: str) -> bool:
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    try:
        return bool(_validator(canonical).is_valid(value))
    except RecursionError:
        return False
    except Unresolvable as error:
        raise ValueError(f"the schema refers to {error.ref}, which is elsewhere: put it into the schema") from error


@cache
def _validator(canonical: str) -> Any:
    from jsonschema.validators import validator_for  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415

    schema = json.loads(canonical)
    implementation = validator_for(schema)
    # An empty registry: nothing is ever fetched from a network.
    return implementation(schema, registry=Registry(), format_checker=implementation.FORMAT_CHECKER)


class JsonFieldsSettings(ScorerSettings):
    """Share of the fields of an answer's JSON that are those of the expected JSON."""

    fields: tuple[str, ...] = ()
    """Paths such as ``order.lines[0].sku``; the fields of the expected object where none are given."""
    fenced: bool = True

    @field_validator("fields")
    @classmethod
    def _are_paths(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        for path in fields:
            if "".join(found[0] for found in _STEP.finditer(path)) != path or not path:
                raise ValueError(f"{path!r} is no path: write order.lines[0].sku")
        return fields

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return BestMatchScorer(
            share("json_fields", "JSON fields"),
            self._share_equal,
            signature_of("json_fields", 1, fenced=self.fenced, fields=self.fields),
        )

    def _share_equal(self, answer: str, expected: str) -> float:
        try:
            wanted = read_json(expected, fenced=False)
        except ValueError as error:
            raise ValueError(f"the expected answer is no JSON ({error})") from error
        try:
            given = read_json(answer, fenced=self.fenced)
        except ValueError:
            return 0.0
        if not self.fields and not (isinstance(wanted, dict) and wanted):
            return float(is_same(given, wanted))
        paths = [_steps(path) for path in self.fields] or [(name,) for name in wanted]
        return sum(_is_right(given, wanted, path) for path in paths) / len(paths)


def _is_right(given: object, wanted: object, path: tuple[str | int, ...]) -> bool:
    expected = _at(wanted, path)
    found = _at(given, path)
    if expected is _ABSENT or found is _ABSENT:
        return expected is found
    return is_same(found, expected)


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(place) if place else name for name, place in _STEP.findall(path))


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        known: Any = value if isinstance(value, dict) and isinstance(step, str) else ()
        if isinstance(value, list) and isinstance(step, int):
            known = range(len(value))
        if step not in known:
            return _ABSENT
        value = value[step]
    return value


def is_same(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are the same: 1 and 1.0 are, 1 and true are not, the order of names is nothing."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    return bool(left == right)
