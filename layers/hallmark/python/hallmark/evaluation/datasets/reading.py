"""Reading a dataset: the good lines become cases, every other one is rejected with its number and the reason."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.suites import DatasetFormat, DatasetSource


class Rejection(BaseModel):
    """A line that is no case."""

    model_config = ConfigDict(frozen=True)

    object: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.object}:{self.line}: {self.field}: {self.reason}"


class Dataset(NamedTuple):
    """What was read."""

    cases: tuple[Case, ...]
    digest: str
    """SHA-256 of the cases, whatever file format they were written in."""
    rejections: tuple[Rejection, ...]


Row = tuple[int, Any]


def read_dataset(objects: Iterable[tuple[str, bytes]], source: DatasetSource) -> Dataset:
    """Read a dataset.

    Args:
        objects: Name and content of each object.
        source: What the policy says of it.

    Raises:
        InvalidInputError: Nothing reads an object of this name.
    """
    cases: dict[str, Case] = {}
    rejections: list[Rejection] = []
    for name, content in objects:
        for line, row in _rows(name, content, source.format):
            try:
                case = _case(row)
            except ValidationError as error:
                fault = error.errors()[0]
                field = ".".join(map(str, fault["loc"])) or "the line"
                rejections.append(Rejection(object=name, line=line, field=field, reason=fault["msg"]))
                continue
            except ValueError as error:
                rejections.append(Rejection(object=name, line=line, field="the line", reason=str(error)))
                continue
            if case.id in cases:
                rejections.append(Rejection(object=name, line=line, field="id", reason=f"{case.id!r} is there already"))
                continue
            cases[case.id] = _rendered(case, source.template)
    digest = sha256()
    for case in sorted(cases.values(), key=lambda case: case.id):
        digest.update(case.model_dump_json(exclude_defaults=True).encode() + b"\n")
    return Dataset(tuple(cases.values()), digest.hexdigest(), tuple(rejections))


def _rows(name: str, content: bytes, form: DatasetFormat) -> Iterator[Row]:
    plain = name.removesuffix(".gz")
    if plain != name:
        content = gzip.decompress(content)
    if form is DatasetFormat.CSV or (form is DatasetFormat.AUTO and plain.endswith(".csv")):
        yield from enumerate(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))), start=2)
    elif form is DatasetFormat.JSONL or (form is DatasetFormat.AUTO and plain.endswith((".jsonl", ".json"))):
        for number, line in enumerate(content.splitlines(), start=1):
            if line.strip():
                yield number, line
    else:
        raise InvalidInputError("format", f"{form.value} {name}", "write .jsonl or .csv, or name the format")


def _case(row: Any) -> Case:
    if isinstance(row, bytes):
        row = json.loads(row)
    if not isinstance(row, dict):
        raise ValueError("write a JSON object")
    values = {name: value for name, value in row.items() if name in Case.model_fields and value not in (None, "")}
    if isinstance(values.get("expected"), str):
        values["expected"] = [values["expected"]]
    if "id" not in values:
        values["id"] = sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
    return Case.model_validate(values)


def _rendered(case: Case, template: str | None) -> Case:
    if template is None or case.prompt is None:
        return case
    text = template.replace("{prompt}", case.prompt).replace("{context}", "\n".join(case.context))
    return case.model_copy(update={"prompt": text})
