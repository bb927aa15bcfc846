"""Answers that are JSON."""

from __future__ import annotations

import socket
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.evaluation.results import Score
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.evaluation.scorers.structure import is_same
from hallmark.evaluation.suites import ScorerChoice

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


class Scoring(Protocol):
    def __call__(self, name: str, text: str, expected: object = (), **parameters: object) -> dict[str, Score]: ...


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"name": "Ada", "age": 36}', 1),
        ('Here it is:\n```json\n{"name": "Ada"}\n```\nAnything else?', 1),
        ('{"name": "Ada", "age": -1}', 0),
        ('{"age": 36}', 0),
        ('{"name": "Ada", "more": 1}', 0),
        ('{"name": "Ada",}', 0),
        ("", 0),
        ("[" * 200_000, 0),
    ],
)
def test_an_answer_follows_the_schema_or_does_not(score: Scoring, text: str, valid: float) -> None:
    assert score("json_schema", text, schema=SCHEMA)["json_valid"].value == valid


def test_a_fenced_block_is_no_json_where_only_json_is_allowed(score: Scoring) -> None:
    assert score("json_schema", "```json\n{}\n```", fenced=False)["json_valid"].value == 0


@pytest.mark.parametrize("text", ["NaN", "Infinity", '{"a": -Infinity}'])
def test_nan_is_no_json(score: Scoring, text: str) -> None:
    assert score("json_schema", text)["json_valid"].value == 0


def test_a_schema_that_is_none_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidInputError, match=r"scorers.json_schema.schema is .*it is no JSON Schema"):
        make_scorer(ScorerChoice(name="json_schema", parameters={"schema": {"type": "nothing"}}))


def test_a_schema_elsewhere_is_never_fetched(score: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    found = score("json_schema", "{}", schema={"$ref": "http://example.com/schema.json"})["json_valid"]

    assert found.value is None
    assert "http://example.com/schema.json" in (found.failure or "")


@pytest.mark.parametrize(
    ("answer", "fields", "share"),
    [
        ('{"id": 7, "lines": [{"sku": "A"}], "paid": true}', (), 1.0),
        ('{"id": 7.0, "lines": [{"sku": "B"}], "paid": true}', (), 2 / 3),
        ('{"id": 7, "lines": [{"sku": "B"}], "paid": 1}', (), 1 / 3),
        ('{"id": 7, "lines": [{"sku": "A"}]}', ("lines[0].sku", "paid"), 0.5),
        ('{"id": 7}', ("missing",), 1.0),
        ("no json", (), 0.0),
    ],
)
def test_each_field_that_is_right_counts(score: Scoring, answer: str, fields: tuple[str, ...], share: float) -> None:
    expected = '{"id": 7, "lines": [{"sku": "A"}], "paid": true}'

    assert score("json_fields", answer, expected, fields=fields)["json_fields"].value == pytest.approx(share)


def test_an_expected_answer_that_is_no_json_is_a_failure(score: Scoring) -> None:
    assert "the expected answer is no JSON" in (score("json_fields", "{}", "{")["json_fields"].failure or "")


@pytest.mark.parametrize("path", ["a..b", "", "a[x]", "a["])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError, match="is no path"):
        make_scorer(ScorerChoice(name="json_fields", parameters={"fields": [path]}))


@given(VALUES, VALUES)
def test_sameness_is_reflexive_and_symmetric(left: Any, right: Any) -> None:
    assert is_same(left, left)
    assert is_same(left, right) == is_same(right, left)


def test_true_is_not_one() -> None:
    assert not is_same({"a": [True]}, {"a": [1]})
    assert is_same({"a": 1, "b": 2.0}, {"b": 2, "a": 1.0})
