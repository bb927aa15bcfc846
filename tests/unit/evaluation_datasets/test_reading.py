from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.datasets.reading import Dataset, read_dataset
from hallmark.evaluation.datasets.templates import with_shots
from hallmark.evaluation.suites import DatasetFormat, DatasetSource

CASES = [
    {"id": "q1", "prompt": "2 + 2?", "expected": ["4", "four"], "group": "short"},
    {"id": "q2", "prompt": 'Say "größer",\nplease.', "expected": ["größer"], "group": "long", "weight": 2.0},
]


def source(form: DatasetFormat = DatasetFormat.AUTO, **more: Any) -> DatasetSource:
    return DatasetSource(location="s3://data/set", format=form, **more)


def read(name: str, content: bytes | str, form: DatasetFormat = DatasetFormat.AUTO, **more: Any) -> Dataset:
    return read_dataset([(name, content.encode() if isinstance(content, str) else content)], source(form, **more))


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_good_line_is_a_case() -> None:
    found = read("a.jsonl", lines(*CASES))

    assert [case.id for case in found.cases] == ["q1", "q2"]
    assert found.cases[0].expected == ("4", "four")
    assert found.rejections == ()


def test_the_same_cases_have_the_same_digest_in_every_format_and_order(tmp_path: Path) -> None:
    table = duckdb.sql(
        "select * from (values ('q2', 'Say \"größer\",\nplease.', ['größer'], 'long', 2.0), "
        "('q1', '2 + 2?', ['4', 'four'], 'short', 1.0)) t(id, prompt, expected, \"group\", weight)"
    )
    assert table is not None
    table.write_parquet(str(tmp_path / "a.parquet"))
    csv_text = (
        'id,prompt,expected,group,weight\nq1,2 + 2?,"[""4"", ""four""]",short,\n'
        'q2,"Say ""größer"",\nplease.",größer,long,2\n'
    )
    files = {
        "a.jsonl": lines(*CASES).encode(),
        "b.jsonl": lines(*reversed(CASES)).encode(),
        "a.jsonl.gz": gzip.compress(lines(*CASES).encode()),
        "a.csv": b"\xef\xbb\xbf" + csv_text.encode(),
        "a.parquet": (tmp_path / "a.parquet").read_bytes(),
    }

    assert len({read(name, content).digest for name, content in files.items()}) == 1


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{broken", "the line"),
        ("[1]", "the line"),
        ('{"id": "x"}', "the line"),
        ('{"id": "x", "prompt": "a", "weight": -1}', "weight"),
        ('{"id": "x", "prompt": "a", "messages": [{"role": "user", "text": "b"}]}', "the line"),
        ('{"id": "q1", "prompt": "again"}', "id"),
    ],
)
def test_a_bad_line_is_rejected_with_its_number_and_the_good_ones_are_kept(line: str, field: str) -> None:
    found = read("a.jsonl", lines(CASES[0]) + line + "\n" + lines(CASES[1]))

    assert len(found.cases) == 2
    (rejection,) = found.rejections
    assert (rejection.line, rejection.field) == (2, field)


def test_a_line_of_a_table_with_more_cells_than_columns_is_rejected() -> None:
    found = read("a.csv", "id,prompt\nq1,2 + 2?\nq2,3,4\n")

    assert [case.id for case in found.cases] == ["q1"]
    assert "more cells" in found.rejections[0].reason


def test_a_case_without_an_id_is_named_by_its_content() -> None:
    first, second = (read("a.jsonl", lines({"prompt": "2 + 2?"})).cases[0].id for _ in range(2))

    assert first == second


def test_a_template_stands_around_each_prompt() -> None:
    (case,) = read("a.jsonl", lines({"prompt": "2 + 2?"}), template="Question: {prompt}\nAnswer:").cases

    assert case.prompt == "Question: 2 + 2?\nAnswer:"


def test_the_report_tells_what_the_data_look_like() -> None:
    report = read("a.jsonl", lines(*CASES, {"prompt": "2 + 2?", "category": "sums"})).report

    assert report.columns["prompt"] == 3
    assert report.groups == {"short": 1, "long": 1}
    assert (report.without_expected, report.same_prompt) == (1, 2)


@pytest.mark.parametrize(
    ("expected", "read_as"),
    [
        ('{"a": 1}', ('{"a": 1}',)),
        ("[unclear]", ("[unclear]",)),
        ("[1, 2]", ("[1, 2]",)),
        ('["4", "four"]', ("4", "four")),
        (4, ("4",)),
        (["4", "four"], ("4", "four")),
    ],
)
def test_an_expected_output_may_look_like_json(expected: Any, read_as: tuple[str, ...]) -> None:
    found = read("a.jsonl", lines({"id": "1", "prompt": "?", "expected": expected}))

    assert [case.expected for case in found.cases] == [read_as]


ROWS: dict[DatasetFormat, dict[str, Any]] = {
    DatasetFormat.JSONL: {"id": "1", "prompt": "p", "expected": ["a"], "group": "g", "weight": 2},
    DatasetFormat.GLUE_MNLI: {"idx": 1, "premise": "s", "hypothesis": "d", "label": 2},
    DatasetFormat.GLUE_STSB: {"idx": 1, "sentence1": "s", "sentence2": "d", "label": 2.5},
    DatasetFormat.HELLASWAG: {"ind": 1, "activity_label": "x", "ctx": "c", "endings": ["a", "b"], "label": "1"},
    DatasetFormat.MMLU: {"question": "q", "choices": ["a", "b", "c", "d"], "answer": 2, "subject": "x"},
    DatasetFormat.SQUAD: {"id": "1", "context": "c", "question": "q", "answers": {"text": ["a"]}},
    DatasetFormat.SUMMARIZATION: {"id": "1", "article": "a", "highlights": "h"},
    DatasetFormat.TRANSLATION: {"id": "1", "translation": {"en": "a", "de": "b"}},
    DatasetFormat.BEDROCK: {
        "prompt": "p",
        "referenceResponse": "r",
        "category": "c",
        "modelResponses": [{"response": "x", "modelIdentifier": "m"}],
    },
    DatasetFormat.BEDROCK_RAG: {
        "conversationTurns": [
            {
                "prompt": {"content": [{"text": "q"}]},
                "referenceResponses": [{"content": [{"text": "a"}]}],
                "output": {
                    "text": "o",
                    "knowledgeBaseIdentifier": "kb",
                    "retrievedPassages": {"retrievalResults": [{"content": {"text": "p"}}]},
                },
            }
        ]
    },
}
ODD: tuple[Any, ...] = (
    None,
    "",
    -1,
    1.5,
    "x",
    [],
    {},
    [None],
    [1],
    {"a": 1},
    True,
    float("nan"),
    10**400,
    "\ud83d",
    [[]],
)


def places_in(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places_in(each, (*place, key))


def with_odd(row: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    changed = copy(row)
    changed[place[0]] = with_odd(row[place[0]], place[1:], odd)
    return changed


@pytest.mark.parametrize("form", ROWS)
def test_a_line_with_anything_odd_in_any_place_never_harms_the_good_lines(form: DatasetFormat) -> None:
    """Either it is rejected, or what is asked and expected are texts: no None, nan or list written as one."""
    good = {name: "99" if name in {"id", "idx", "ind"} else value for name, value in ROWS[form].items()}
    (wanted,) = read("a.jsonl", lines(good), form).cases
    for place in places_in(ROWS[form]):
        for odd in ODD:
            found = read("a.jsonl", lines(with_odd(ROWS[form], place, odd), good), form)

            told = [text for case in found.cases for text in (case.question, *case.expected, *case.answers.values())]
            assert wanted in found.cases, (place, odd)
            assert not [text for text in told for bad in ("None", "nan", "[", "{", "\ud83d") if bad in text], (
                place,
                odd,
            )


@given(content=st.binary(max_size=300), name=st.sampled_from(["a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.jsonl.gz"]))
def test_any_bytes_give_cases_rejections_or_a_clear_refusal(content: bytes, name: str) -> None:
    with suppress(InvalidInputError):
        found = read(name, content)
        assert found.report.lines >= len(found.rejections)


# --- layouts, as their publishers write them --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "name", "content", "expected"),
    [
        (DatasetFormat.GLUE_SST2, "dev.tsv", "sentence\tlabel\nit 's a charming film\t1\n", "positive"),
        (DatasetFormat.GLUE_SST2, "a.jsonl", lines({"sentence": "dull", "label": 0, "idx": 7}), "negative"),
        (
            DatasetFormat.GLUE_MRPC,
            "dev.tsv",
            "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tHe went.\tHe left.\n",
            "yes",
        ),
        (DatasetFormat.GLUE_QQP, "a.jsonl", lines({"question1": "a?", "question2": "b?", "is_duplicate": 0}), "no"),
        (
            DatasetFormat.GLUE_MNLI,
            "dev.tsv",
            "sentence1\tsentence2\tgold_label\nIt rains.\tIt is dry.\tcontradiction\n",
            "contradiction",
        ),
        (
            DatasetFormat.GLUE_QNLI,
            "dev.tsv",
            "index\tquestion\tsentence\tlabel\n0\tWho?\tShe did.\tentailment\n",
            "entailment",
        ),
        (DatasetFormat.GLUE_RTE, "a.jsonl", lines({"sentence1": "a", "sentence2": "b", "label": 1}), "not_entailment"),
        (DatasetFormat.GLUE_WNLI, "a.jsonl", lines({"sentence1": "a", "sentence2": "b", "label": 1}), "yes"),
        (DatasetFormat.GLUE_COLA, "a.jsonl", lines({"sentence": "they went", "label": 1, "idx": 1}), "yes"),
        (DatasetFormat.GLUE_STSB, "a.jsonl", lines({"sentence1": "a", "sentence2": "b", "label": 3.8}), "3.8"),
        (
            DatasetFormat.HELLASWAG,
            "a.jsonl",
            lines({"ind": 24, "ctx": "A man sits.", "endings": ["He flies.", "He reads."], "label": "1"}),
            "B",
        ),
        (DatasetFormat.MMLU, "algebra_test.csv", "What is 2 + 2?,1,2,3,4,D\n", "D"),
        (
            DatasetFormat.MMLU,
            "a.jsonl",
            lines({"question": "2 + 2?", "subject": "algebra", "choices": ["1", "4"], "answer": 1}),
            "B",
        ),
        (DatasetFormat.SUMMARIZATION, "a.jsonl", lines({"article": "Long.", "highlights": "Short."}), "Short."),
        (DatasetFormat.SUMMARIZATION, "a.jsonl", lines({"document": "Long.", "summary": "Short."}), "Short."),
        (DatasetFormat.TRANSLATION, "a.jsonl", lines({"translation": {"en": "cat", "de": "Katze"}}), "Katze"),
        (DatasetFormat.TRANSLATION, "a.tsv", "en\tde\ncat\tKatze\n", "Katze"),
        (DatasetFormat.BEDROCK, "a.jsonl", lines({"prompt": "2 + 2?", "referenceResponse": "4"}), "4"),
    ],
)
def test_a_published_layout_is_read_as_its_publisher_means_it(
    form: DatasetFormat, name: str, content: str, expected: str
) -> None:
    found = read(name, content, form)

    assert found.rejections == ()
    assert [case.expected for case in found.cases] == [(expected,)]


def test_squads_official_document_is_read_question_by_question() -> None:
    document = {
        "version": "v2.0",
        "data": [
            {
                "title": "Rivers",
                "paragraphs": [
                    {
                        "context": "The Rhine flows north.",
                        "qas": [
                            {
                                "id": "1",
                                "question": "Where to?",
                                "answers": [
                                    {"text": "north", "answer_start": 16},
                                    {"text": "north", "answer_start": 16},
                                ],
                            },
                            {"id": "2", "question": "How deep?", "answers": [], "is_impossible": True},
                        ],
                    }
                ],
            }
        ],
    }

    found = read("dev-v2.0.json", json.dumps(document), DatasetFormat.SQUAD)

    assert [case.expected for case in found.cases] == [("north",), ("",)]
    assert found.cases[0].category == "Rivers"
    assert found.cases[0].context == ("The Rhine flows north.",)


def test_a_precomputed_answer_of_bedrocks_format_is_kept_with_its_model() -> None:
    row = {"prompt": "2 + 2?", "modelResponses": [{"response": "4", "modelIdentifier": "ours"}]}

    (case,) = read("a.jsonl", lines(row), DatasetFormat.BEDROCK).cases

    assert case.answers == {"ours": "4"}


def test_a_conversation_of_bedrocks_rag_format_ends_with_the_users_turn() -> None:
    def text(words: str) -> dict[str, Any]:
        return {"content": [{"text": words}]}

    row = {
        "conversationTurns": [
            {"prompt": text("Which river?"), "referenceResponses": [text("The Rhine.")]},
            {
                "prompt": text("Where to?"),
                "referenceResponses": [text("North.")],
                "output": {
                    "text": "Northwards.",
                    "knowledgeBaseIdentifier": "kb1",
                    "retrievedPassages": {"retrievalResults": [{"content": {"text": "It flows north."}}]},
                },
            },
        ]
    }

    (case,) = read("a.jsonl", lines(row), DatasetFormat.BEDROCK_RAG).cases

    assert [turn.role for turn in case.messages] == ["user", "assistant", "user"]
    assert (case.expected, case.context, case.answers) == (("North.",), ("It flows north.",), {"kb1": "Northwards."})


def test_a_label_that_a_task_does_not_have_is_rejected() -> None:
    found = read("a.jsonl", lines({"sentence": "dull", "label": -1}), DatasetFormat.GLUE_SST2)

    assert found.cases == ()
    assert "label" in found.rejections[0].reason


def test_solved_examples_stand_before_the_question_those_of_its_category_first() -> None:
    examples = read(
        "dev.jsonl",
        lines(
            {"prompt": "1 + 1?", "expected": "2", "category": "sums"},
            {"prompt": "Capital of Peru?", "expected": "Lima", "category": "towns"},
            {"prompt": "2 + 3?", "expected": "5", "category": "sums"},
        ),
    ).cases
    (case,) = read("a.jsonl", lines({"prompt": "2 + 2?", "expected": "4", "category": "sums"})).cases

    (shown,) = with_shots([case], examples, 2)

    assert shown.prompt == "1 + 1?\n2\n\n2 + 3?\n5\n\n2 + 2?"


def test_a_template_that_names_what_no_case_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="answer"):
        source(template="{prompt} {answer}")
