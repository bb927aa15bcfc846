"""The Parquet file, read by DuckDB, which nobody here wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from hallmark.evaluation.case_table import COLUMN_NAMES, write_case_table
from hallmark.evaluation.results import Answer, CaseResult, Failure, FailureKind, Score
from infra.constructs.evaluation_storage import COLUMNS

ANSWERED = CaseResult(
    model="vader",
    dataset="tweets",
    case="t1",
    group="short",
    weight=2.5,
    answer=Answer(
        text='größer, "3"\n',
        stop_reason="end_turn",
        input_tokens=7,
        output_tokens=2,
        latency_ms=1.5,
        cost_usd=0.001,
        answered_at=datetime(2026, 11, 1, tzinfo=UTC),
    ),
    scores=(Score(metric="exact_match", value=1.0), Score(metric="judge", failure="nonsense")),
)
FAILED = CaseResult(
    model="vader", dataset="tweets", case="t2", failure=Failure(kind=FailureKind.REFUSED, reason="no such model")
)


def read(folder: Path, *results: CaseResult) -> duckdb.DuckDBPyRelation:
    file = folder / "cases.parquet"
    file.write_bytes(write_case_table(results))
    return duckdb.read_parquet(str(file))


def test_every_case_is_a_row_with_its_answer_or_its_failure(tmp_path: Path) -> None:
    rows = read(tmp_path, ANSWERED, FAILED).project("case_id, answer, weight, cost_usd, failure").fetchall()

    assert rows == [("t1", 'größer, "3"\n', 2.5, 0.001, None), ("t2", None, 1.0, None, "refused")]


def test_scores_without_a_value_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, ANSWERED, FAILED).project("scores").fetchall() == [
        ([{"metric": "exact_match", "value": 1.0}],),
        ([],),
    ]


def test_a_run_without_results_makes_a_table_without_rows(tmp_path: Path) -> None:
    assert read(tmp_path).fetchall() == []


def test_the_catalogues_columns_are_those_of_the_file(tmp_path: Path) -> None:
    hive = {"VARCHAR": "string", "INTEGER": "int", "BIGINT": "bigint", "DOUBLE": "double"}
    relation = read(tmp_path, ANSWERED)
    types = {
        name: hive.get(str(kind), "array<struct<metric:string,value:double>>")
        for name, kind in zip(relation.columns, relation.types, strict=True)
    }

    assert types == COLUMNS
    assert tuple(types) == COLUMN_NAMES
