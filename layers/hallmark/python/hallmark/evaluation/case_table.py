"""Results of all cases as one Parquet file: a row a case, for Athena, DuckDB and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import accumulate
from typing import Any, NamedTuple

from hallmark.evaluation.results import CaseResult


class _Column(NamedTuple):
    type: str
    """Name of the type in Arrow."""
    value: Callable[[CaseResult], Any]


def _answer(name: str) -> Callable[[CaseResult], Any]:
    return lambda result: getattr(result.answer, name) if result.answer is not None else None


def _failure(name: str) -> Callable[[CaseResult], Any]:
    return lambda result: str(getattr(result.failure, name)) if result.failure is not None else None


_COLUMNS: dict[str, _Column] = {
    "model": _Column("string", lambda result: result.model),
    "dataset": _Column("string", lambda result: result.dataset),
    "case_id": _Column("string", lambda result: result.case),
    "epoch": _Column("int32", lambda result: result.epoch),
    "case_group": _Column("string", lambda result: result.group),
    "category": _Column("string", lambda result: result.category),
    "difficulty": _Column("string", lambda result: result.difficulty),
    "case_cluster": _Column("string", lambda result: result.cluster),
    "copy_of": _Column("string", lambda result: result.copy_of),
    "perturbation": _Column("string", lambda result: result.perturbation),
    "weight": _Column("float64", lambda result: result.weight),
    "answer": _Column("string", _answer("text")),
    "stop_reason": _Column("string", _answer("stop_reason")),
    "input_tokens": _Column("int64", _answer("input_tokens")),
    "output_tokens": _Column("int64", _answer("output_tokens")),
    "latency_ms": _Column("float64", _answer("latency_ms")),
    "cost_usd": _Column("float64", _answer("cost_usd")),
    "request_id": _Column("string", _answer("request_id")),
    "failure": _Column("string", _failure("kind")),
    "failure_reason": _Column("string", _failure("reason")),
}
COLUMN_NAMES = (*_COLUMNS, "scores")
"""Columns of the file; ``scores`` is a list of (metric, value), without what no scorer could judge."""


def write_case_table(results: Sequence[CaseResult]) -> bytes:
    """Return the Parquet file of results, in the order given; compressed with zstd.

    Args:
        results: Any number; none makes a file without rows.
    """
    from arro3.core import Array, DataType, Field, Table, list_array, struct_array  # noqa: PLC0415 - 20 MB
    from arro3.io import write_parquet  # noqa: PLC0415

    columns: dict[str, Any] = {
        name: Array([column.value(result) for result in results], type=getattr(DataType, column.type)())
        for name, column in _COLUMNS.items()
    }
    judged = [[score for score in result.scores if score.value is not None] for result in results]
    flat = [score for scores in judged for score in scores]
    pairs = struct_array(
        [
            Array([score.metric for score in flat], type=DataType.string()),
            Array([score.value for score in flat], type=DataType.float64()),
        ],
        fields=[Field("metric", DataType.string()), Field("value", DataType.float64())],
    )
    offsets = Array([0, *accumulate(len(scores) for scores in judged)], type=DataType.int32())
    columns["scores"] = list_array(offsets, pairs)
    file = BytesIO()
    write_parquet(Table.from_pydict(columns), file, compression="zstd(3)")
    return file.getvalue()
