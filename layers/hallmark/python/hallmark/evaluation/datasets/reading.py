"""Reading a dataset: the good lines become cases, every other one is rejected with its number and the reason."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticSerializationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.datasets.layouts import fields_of
from hallmark.evaluation.datasets.templates import render
from hallmark.evaluation.suites import DatasetFormat, DatasetSource

_OWN = frozenset({DatasetFormat.AUTO, DatasetFormat.JSONL, DatasetFormat.CSV, DatasetFormat.PARQUET})
_LISTS = ("expected", "choices", "context")
_STRUCTURED = ("messages", "answers")
_ALIASES = {
    "prompt": ("question", "input"),
    "expected": ("answer", "target", "reference", "label"),
}
"""Names of columns that other tools write, tried where ours is missing."""
_MMLU_COLUMNS = ("question", "A", "B", "C", "D", "answer")
"""The official files have no header (github.com/hendrycks/test)."""
_CELL_CHARACTERS = 10_000_000
csv.field_size_limit(_CELL_CHARACTERS)


class Rejection(BaseModel):
    """A line that is no case."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    object: str
    line: int
    """From 1; of Parquet the row, of a JSON document the entry."""
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.object}:{self.line}: {self.field}: {self.reason}"


class SchemaReport(BaseModel):
    """What a dataset looks like."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    objects: int
    lines: int
    columns: dict[str, int]
    """How many lines fill each column."""
    groups: dict[str, int]
    categories: dict[str, int]
    without_expected: int
    longest_prompt: int
    """In characters."""
    same_prompt: int
    """Cases whose prompt another case has, too."""


class DataReport(BaseModel):
    """A dataset as a run read it, for whoever wants to mend it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    report: SchemaReport
    rejections: tuple[Rejection, ...]
    """Every line that is no case; of very many the first."""
    rejected: int
    """All of them."""


class Dataset(NamedTuple):
    """What was read."""

    cases: tuple[Case, ...]
    digest: str
    """SHA-256 of the cases in the order of their ids: the same cases in another format or order have the same."""
    rejections: tuple[Rejection, ...]
    report: SchemaReport


class _Line(NamedTuple):
    object: str
    number: int
    row: Any


def read_dataset(objects: Iterable[tuple[str, bytes]], source: DatasetSource) -> Dataset:
    """Read a dataset.

    Args:
        objects: Name and content of each object.
        source: What the policy says of it.

    Raises:
        InvalidInputError: Nothing reads an object of this name, or its content as a whole.
    """
    cases: dict[str, Case] = {}
    rejections: list[Rejection] = []
    columns: Counter[str] = Counter()
    names: set[str] = set()
    lines = 0
    for line in _lines(objects, source):
        lines += 1
        names.add(line.object)
        try:
            row = _row(line.row)
            columns.update(name for name, value in row.items() if value not in (None, "", [], {}))
            found = [_case(fields, source) for fields in _fields(row, source)]
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            rejections.append(Rejection(object=line.object, line=line.number, **_fault(error)))
            continue
        for case in found:
            if case.id in cases:
                reason = f"{case.id!r} is the id of an earlier case"
                rejections.append(Rejection(object=line.object, line=line.number, field="id", reason=reason))
            else:
                cases[case.id] = case
    return Dataset(
        tuple(cases.values()), digest_of(cases.values()), tuple(rejections), _report(cases, len(names), lines, columns)
    )


def digest_of(cases: Iterable[Case]) -> str:
    """Return the SHA-256 of cases, the same in any order."""
    digest = sha256()
    for case in sorted(cases, key=lambda case: case.id):
        digest.update(case.model_dump_json(exclude_defaults=True).encode() + b"\n")
    return digest.hexdigest()


def _report(cases: dict[str, Case], objects: int, lines: int, columns: Counter[str]) -> SchemaReport:
    prompts = Counter(case.question for case in cases.values())
    return SchemaReport(
        objects=objects,
        lines=lines,
        columns=dict(sorted(columns.items())),
        groups=dict(Counter(case.group for case in cases.values() if case.group is not None)),
        categories=dict(Counter(case.category for case in cases.values() if case.category is not None)),
        without_expected=sum(not case.expected for case in cases.values()),
        longest_prompt=max((len(prompt) for prompt in prompts), default=0),
        same_prompt=sum(count for count in prompts.values() if count > 1),
    )


# --- lines ------------------------------------------------------------------------------------------------------------


def _lines(objects: Iterable[tuple[str, bytes]], source: DatasetSource) -> Iterator[_Line]:
    for name, packed in objects:
        plain, content = unpack(name, packed)
        try:
            for number, row in _rows(plain, content, source):
                yield _Line(name, number, row)
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidInputError("location", name, f"it cannot be read: {error}") from None


def unpack(name: str, content: bytes) -> tuple[str, bytes]:
    """Return name and content of an object, both without ``.gz``.

    Raises:
        InvalidInputError: It is called ``.gz`` and is not.
    """
    plain = name.removesuffix(".gz")
    if plain == name:
        return name, content
    try:
        return plain, gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInputError("location", name, f"it cannot be read: {error}") from None


def _rows(name: str, content: bytes, source: DatasetSource) -> Iterator[tuple[int, Any]]:
    form = source.format
    if form is DatasetFormat.PARQUET or name.endswith(".parquet"):
        yield from parquet_rows(name, content)
    elif form is DatasetFormat.CSV or name.endswith((".csv", ".tsv")):
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        delimiter = "\t" if name.endswith(".tsv") else ","
        headless = form is DatasetFormat.MMLU and not content.lstrip().lower().startswith(b"question")
        rows = csv.DictReader(text, fieldnames=_MMLU_COLUMNS if headless else None, delimiter=delimiter)
        for row in rows:
            yield rows.line_num, row
    elif form is DatasetFormat.SQUAD and name.endswith(".json"):
        yield from enumerate(_articles(name, content), start=1)
    elif name.endswith((".jsonl", ".json")) or form is not DatasetFormat.AUTO:
        for number, line in enumerate(content.splitlines(), start=1):
            if line.strip():
                yield number, line
    else:
        raise InvalidInputError("format", name, "name it .jsonl, .csv, .tsv or .parquet, or say its format")


def _articles(name: str, content: bytes) -> list[Any]:
    """Return the articles of SQuAD's official document, or the rows of a list."""
    try:
        document = json.loads(content)
    except ValueError as error:
        raise InvalidInputError("location", name, f"it is not JSON: {error}") from None
    found = document.get("data") if isinstance(document, dict) else document
    if not isinstance(found, list):
        raise InvalidInputError("location", name, 'SQuAD is a JSON object with the list "data"')
    return found


def parquet_rows(name: str, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and columns of each row.

    Raises:
        InvalidInputError: It is no Parquet file.
    """
    from arro3.io import read_parquet  # noqa: PLC0415 - 20 MB, where nobody may read Parquet

    try:
        table = read_parquet(io.BytesIO(content)).read_all()
    except BaseException as error:
        # arro3 raises what its Rust libraries raise, of no common class; a panic is no Exception.
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise InvalidInputError("location", name, f"it is no Parquet file: {error}") from None
    columns = {column: table.column(column).to_pylist() for column in table.column_names}
    for number in range(table.num_rows):
        yield number + 1, {column: values[number] for column, values in columns.items()}


# --- cases ------------------------------------------------------------------------------------------------------------


def _row(line: Any) -> dict[str, Any]:
    found = json.loads(line) if isinstance(line, bytes) else line
    if not isinstance(found, dict):
        raise ValueError("write a JSON object")
    if None in found:
        raise ValueError("the line has more cells than the header has columns")
    return found


def _fields(row: dict[str, Any], source: DatasetSource) -> list[dict[str, Any]]:
    return [_own_fields(row)] if source.format in _OWN else fields_of(row, source)


def _own_fields(row: dict[str, Any]) -> dict[str, Any]:
    fields = {name: row[name] for name in Case.model_fields if row.get(name) not in (None, "")}
    if "messages" not in fields:
        for name, others in _ALIASES.items():
            other = next((other for other in others if row.get(other) not in (None, "")), None)
            if name not in fields and other is not None:
                fields[name] = row[other]
    for name in _STRUCTURED:
        if isinstance(fields.get(name), str):
            fields[name] = json.loads(fields[name])
    for name in _LISTS:
        if name in fields:
            fields[name] = _list_of(fields[name])
    return fields


def _list_of(value: Any) -> Any:
    """Return texts as a list: a cell of a table may hold one as JSON, anything else is one text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            found = json.loads(value)
        except ValueError:
            return [value]
        return found if isinstance(found, list) and all(isinstance(each, str) for each in found) else [value]
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return [str(value)]
    return value


def _case(fields: dict[str, Any], source: DatasetSource) -> Case:
    if "id" not in fields:
        fields = {**fields, "id": sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()[:16]}
    case = render(Case.model_validate(fields | {"id": str(fields["id"])}), source)
    try:
        case.model_dump_json()
    except PydanticSerializationError:
        raise ValueError("a text has half a character (a lone surrogate): write whole ones") from None
    return case


def _fault(error: Exception) -> dict[str, str]:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the line"
        return {"field": field, "reason": fault["msg"].removeprefix("Value error, ")}
    if isinstance(error, KeyError):
        return {"field": str(error.args[0]), "reason": "it is missing"}
    return {"field": "the line", "reason": str(error)[:500]}
