"""JSON documents against botocore's shapes: requests are checked and typed, answers are serialised.

The wording of a refused request is the one that AWS's services send ("1 validation error detected: Value ... at ...
failed to satisfy constraint: ..."); a value of the wrong JSON type is a ``SerializationException``, as there.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from local.sagemaker.contract import ServiceError
from local.sagemaker.patterns import compile_pattern

_JSON_NAMES = {
    dict: "a structure",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}
_INTEGERS = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_NUMBERS = {*_INTEGERS, "float", "double"}


class UnknownMemberError(TypeError):
    """An operation answered with a member that its output shape does not have."""


def parse_request(shape: StructureShape | None, document: object) -> dict[str, Any]:
    """Return ``document`` typed by ``shape``; members that the shape does not know are dropped, as AWS does.

    Raises:
        ServiceError: ``ValidationException`` with every field that breaks a constraint, or ``SerializationException``
            for a value of the wrong JSON type.
    """
    if shape is None:
        return {}
    problems: list[str] = []
    parsed: dict[str, Any] = _parse_structure(shape, document, "", problems)
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise ServiceError("ValidationException", f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")
    return parsed


def _parse(shape: Shape, value: object, path: str, problems: list[str]) -> Any:
    if getattr(shape, "is_document_type", False):  # any JSON
        return value
    if isinstance(shape, StructureShape):
        return _parse_structure(shape, value, path, problems)
    if isinstance(shape, ListShape):
        return _parse_list(shape, value, path, problems)
    if isinstance(shape, MapShape):
        return _parse_map(shape, value, path, problems)
    return _parse_simple(shape, value, path, problems)


def _parse_simple(shape: Shape, value: object, path: str, problems: list[str]) -> Any:
    if shape.type_name == "string":
        return _parse_string(shape, value, path, problems)
    if shape.type_name in _NUMBERS:
        return _parse_number(shape, value, path, problems)
    return _parse_scalar(shape, value, path)


def _parse_structure(shape: StructureShape, value: object, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(path, value, "a structure")
    parsed = {}
    for name, member in shape.members.items():
        found = value.get(name)
        if found is None and name not in shape.required_members:
            continue
        at = f"{path}.{_lower_first(name)}" if path else _lower_first(name)
        if found is None:
            problems.append(f"Value null at '{at}' failed to satisfy constraint: Member must not be null")
        else:
            parsed[name] = _parse(member, found, at, problems)
    return parsed


def _parse_list(shape: ListShape, value: object, path: str, problems: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong_type(path, value, "a list")
    _check_length(shape, len(value), value, path, problems)
    return [_parse(shape.member, item, f"{path}.{i}.member", problems) for i, item in enumerate(value, start=1)]


def _parse_map(shape: MapShape, value: object, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(path, value, "a map")
    _check_length(shape, len(value), value, path, problems)
    parsed = {}
    for key, item in value.items():
        _parse_string(shape.key, key, f"{path}.key", problems)
        parsed[key] = _parse(shape.value, item, f"{path}.{key}.member", problems)
    return parsed


def _parse_string(shape: Shape, value: object, path: str, problems: list[str]) -> str:
    if not isinstance(value, str):
        raise _wrong_type(path, value, "a string")
    enum: list[str] = getattr(shape, "enum", [])
    if enum and value not in enum:
        choices = ", ".join(enum)
        problems.append(
            f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{choices}]"
        )
        return value
    _check_length(shape, len(value), value, path, problems)
    pattern = shape.metadata.get("pattern")
    if pattern and not compile_pattern(pattern).fullmatch(value):
        problems.append(
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )
    return value


def _parse_scalar(shape: Shape, value: object, path: str) -> Any:
    if shape.type_name == "boolean":
        if not isinstance(value, bool):
            raise _wrong_type(path, value, "a boolean")
        return value
    if shape.type_name == "timestamp":
        return _parse_time(value, path)
    if not isinstance(value, str):
        raise _wrong_type(path, value, "base64 text")
    return base64.b64decode(value)


def _parse_number(shape: Shape, value: object, path: str, problems: list[str]) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(path, value, "a number")
    if shape.type_name in _INTEGERS:
        lowest, highest = _INTEGERS[shape.type_name]
        if value != int(value) or not lowest <= value <= highest:
            raise _wrong_type(path, value, "an integer")
        value = int(value)
    for bound, word in (("min", "greater"), ("max", "less")):
        limit = shape.metadata.get(bound)
        if limit is not None and (value < float(limit) if bound == "min" else value > float(limit)):
            problems.append(
                f"Value '{value}' at '{path}' failed to satisfy constraint: "
                f"Member must have value {word} than or equal to {limit}"
            )
    return value


def _parse_time(value: object, path: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong_type(path, value, "a timestamp")
    try:
        time: datetime = parse_timestamp(value)  # type: ignore[arg-type] # botocore takes numbers too
    except (ValueError, OverflowError) as error:
        raise _wrong_type(path, value, "a timestamp") from error
    return time.astimezone(UTC)


def _check_length(shape: Shape, length: int, value: object, path: str, problems: list[str]) -> None:
    for bound, word in (("min", "greater"), ("max", "less")):
        limit = shape.metadata.get(bound)
        if limit is not None and (length < limit if bound == "min" else length > limit):
            problems.append(
                f"Value '{value}' at '{path}' failed to satisfy constraint: "
                f"Member must have length {word} than or equal to {limit}"
            )


def _wrong_type(path: str, value: object, wanted: str) -> ServiceError:
    given = _JSON_NAMES.get(type(value), "null")
    return ServiceError(
        "SerializationException", f"'{path or 'the request'}' must be {wanted}, and is {given}: {value!r}"
    )


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def serialise(shape: Shape, value: Any, path: str = "") -> Any:
    """Return ``value`` as AWS's JSON protocols write it: blobs as base64, no nulls.

    Times are epoch seconds, or ISO 8601 where the shape says so.

    Raises:
        UnknownMemberError: ``value`` has a member that ``shape`` does not know.
    """
    if getattr(shape, "is_document_type", False):
        return value
    if isinstance(shape, StructureShape):
        return _serialise_structure(shape, value, path)
    if isinstance(shape, ListShape):
        items: Sequence[Any] = value
        return [serialise(shape.member, item, f"{path}[{i}]") for i, item in enumerate(items)]
    if isinstance(shape, MapShape):
        entries: Mapping[str, Any] = value
        return {key: serialise(shape.value, item, f"{path}.{key}") for key, item in entries.items()}
    return _serialise_scalar(shape, value)


def _serialise_scalar(shape: Shape, value: Any) -> Any:
    if isinstance(value, datetime):
        if shape.serialization.get("timestampFormat") == "iso8601":
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return round(value.timestamp(), 3)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    return value


def _serialise_structure(shape: StructureShape, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    unknown = sorted(set(value) - set(shape.members))
    if unknown:
        raise UnknownMemberError(f"{shape.name} at '{path or '/'}' has no member {', '.join(unknown)}")
    return {
        name: serialise(shape.members[name], item, f"{path}.{name}") for name, item in value.items() if item is not None
    }
