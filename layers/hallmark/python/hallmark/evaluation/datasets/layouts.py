"""Layouts in which the field publishes its datasets, each turned into the fields of a case.

GLUE (Wang et al. 2018), HellaSwag (Zellers et al. 2019), MMLU (Hendrycks et al. 2021), SQuAD v1.1 and v2 (Rajpurkar et
al. 2016, 2018), summarization and translation as the Hugging Face hub lays them out, and Bedrock's own evaluation
datasets (Bedrock user guide, model-evaluation-prompt-datasets). A layout is read from JSON Lines, CSV, TSV or Parquet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hallmark.evaluation.suites import DatasetFormat, DatasetSource

Row = Mapping[str, Any]
Fields = dict[str, Any]
LETTERS = "ABCDEFGHIJ"


class _Task(NamedTuple):
    """A classification of GLUE: its texts, what to ask, and the names of its labels in the order of their numbers."""

    texts: tuple[tuple[str, tuple[str, ...]], ...]
    question: str
    labels: tuple[str, ...]


_YES_NO = ("no", "yes")
_ENTAILS = ("entailment", "not_entailment")
_TASKS: dict[DatasetFormat, _Task] = {
    DatasetFormat.GLUE_SST2: _Task(
        (("Text", ("sentence",)),), "Is the sentiment negative or positive?", ("negative", "positive")
    ),
    DatasetFormat.GLUE_COLA: _Task((("Sentence", ("sentence",)),), "Is the sentence grammatical? yes or no", _YES_NO),
    DatasetFormat.GLUE_MRPC: _Task(
        (("First", ("sentence1", "#1 String")), ("Second", ("sentence2", "#2 String"))),
        "Do both sentences mean the same? yes or no",
        _YES_NO,
    ),
    DatasetFormat.GLUE_QQP: _Task(
        (("First", ("question1",)), ("Second", ("question2",))), "Do both questions ask the same? yes or no", _YES_NO
    ),
    DatasetFormat.GLUE_MNLI: _Task(
        (("Premise", ("premise", "sentence1")), ("Hypothesis", ("hypothesis", "sentence2"))),
        "Does the premise entail the hypothesis? entailment, neutral or contradiction",
        ("entailment", "neutral", "contradiction"),
    ),
    DatasetFormat.GLUE_QNLI: _Task(
        (("Question", ("question",)), ("Sentence", ("sentence",))),
        "Does the sentence answer the question? entailment or not_entailment",
        _ENTAILS,
    ),
    DatasetFormat.GLUE_RTE: _Task(
        (("First", ("sentence1",)), ("Second", ("sentence2",))),
        "Does the first sentence entail the second? entailment or not_entailment",
        _ENTAILS,
    ),
    DatasetFormat.GLUE_WNLI: _Task(
        (("First", ("sentence1",)), ("Second", ("sentence2",))),
        "Does the first sentence entail the second? no or yes",
        _YES_NO,
    ),
}


def labels_of(form: DatasetFormat) -> tuple[str, ...]:
    """Return the classes of a layout that has some of its own."""
    task = _TASKS.get(form)
    return task.labels if task is not None else ()


def fields_of(row: Row, source: DatasetSource) -> list[Fields]:
    """Return the fields of the cases that a row makes; SQuAD's rows make several.

    Raises:
        ValueError: A column is missing or says something that the layout does not allow.
    """
    form = source.format
    if form in _TASKS:
        return [_classification(row, _TASKS[form])]
    return list(_LAYOUTS[form](row, source))


def _take(row: Row, names: Sequence[str]) -> Any:
    for name in names:
        if row.get(name) not in (None, ""):
            return row[name]
    raise ValueError(f"the column {' or '.join(names)} is missing")


def _text(row: Row, names: Sequence[str]) -> str:
    return _as_text(_take(row, names), " or ".join(names))


def _as_text(value: Any, what: str) -> str:
    """Return a text, or a number as one: what else JSON has is none, and is no question or answer either."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return str(value)
    raise ValueError(f"{what} is {str(value)[:80]!r}, which is no text")


def _texts(values: Sequence[Any], what: str) -> list[str]:
    return [_as_text(each, what) for each in values]


def _classification(row: Row, task: _Task) -> Fields:
    texts = "\n".join(f"{title}: {_text(row, names)}" for title, names in task.texts)
    label = _take(row, ("label", "gold_label", "Quality", "is_duplicate"))
    return {
        **_identity(row, ("idx", "index", "id")),
        "prompt": f"{task.question}\n\n{texts}\n\nAnswer with one word.",
        "expected": [_label(label, task.labels)],
    }


def _label(label: Any, labels: Sequence[str]) -> str:
    text = str(label).strip()
    if text in labels:
        return text
    if text.isdigit() and int(text) < len(labels):
        return labels[int(text)]
    raise ValueError(f"the label is {label!r}, not one of {', '.join(labels)} or its number")


def _similarity(row: Row, _source: DatasetSource) -> Iterator[Fields]:
    score = float(_take(row, ("label", "score")))
    if not math.isfinite(score):
        raise ValueError(f"the label is {score}, no number")
    yield {
        **_identity(row, ("idx", "index")),
        "prompt": f"How similar are the two sentences, from 0 to 5? Answer with a number.\n\n"
        f"First: {_text(row, ('sentence1',))}\nSecond: {_text(row, ('sentence2',))}",
        "expected": [f"{score:g}"],
    }


def _choices(question: str, choices: Sequence[str], right: int, identity: Fields, **more: Any) -> Fields:
    if not 0 <= right < len(choices):
        raise ValueError(f"the right choice is number {right} of {len(choices)}")
    listed = "\n".join(f"{LETTERS[place]}. {choice}" for place, choice in enumerate(choices))
    return {
        **identity,
        "prompt": f"{question}\n\n{listed}\n\nAnswer with the letter.",
        "choices": list(choices),
        "expected": [LETTERS[right]],
        **more,
    }


def _hellaswag(row: Row, _source: DatasetSource) -> Iterator[Fields]:
    context = _text(row, ("ctx",)) if row.get("ctx") else f"{_text(row, ('ctx_a',))} {row.get('ctx_b') or ''}".strip()
    endings = row.get("endings")
    if not isinstance(endings, list | tuple):
        raise ValueError("endings is no list")
    more = {"category": str(row["activity_label"])} if row.get("activity_label") else {}
    identity = _identity(row, ("ind", "source_id"))
    yield _choices(
        f"How does it go on?\n\n{context}", _texts(endings, "an ending"), int(_take(row, ("label",))), identity, **more
    )


def _mmlu(row: Row, source: DatasetSource) -> Iterator[Fields]:
    listed = row.get("choices")
    choices = listed if isinstance(listed, list | tuple) else [_take(row, (letter,)) for letter in LETTERS[:4]]
    answer = str(_take(row, ("answer",))).strip()
    right = LETTERS.index(answer) if answer in LETTERS else int(answer)
    subject = row.get("subject") or source.options.get("subject")
    more = {"category": str(subject)} if subject else {}
    yield _choices(_text(row, ("question",)), _texts(choices, "a choice"), right, _identity(row, ("id",)), **more)


def _squad(row: Row, _source: DatasetSource) -> Iterator[Fields]:
    """Read a row of the hub's layout, or an article of the official JSON document."""
    for paragraph in row.get("paragraphs", ()):
        for question in paragraph["qas"]:
            answers = [answer["text"] for answer in question.get("answers", ())]
            yield _reading(
                str(question["id"]),
                _as_text(question["question"], "question"),
                _as_text(paragraph["context"], "context"),
                _texts(answers, "an answer"),
                str(row.get("title", "")),
            )
    if "paragraphs" not in row:
        given = row.get("answers") or {}
        texts = given.get("text", ()) if isinstance(given, Mapping) else [each["text"] for each in given]
        yield _reading(
            str(_take(row, ("id",))),
            _text(row, ("question",)),
            _text(row, ("context",)),
            _texts(texts, "an answer"),
            str(row.get("title", "")),
        )


def _reading(identity: str, question: str, context: str, answers: Sequence[str], title: str) -> Fields:
    """Return a question on a text; one without an answer (v2) expects the empty answer."""
    return {
        "id": identity,
        "prompt": f"{context}\n\nQuestion: {question}\n"
        "Answer with words of the text, or with nothing if it has no answer.",
        "context": [context],
        "expected": list(dict.fromkeys(answers)) or [""],
        **({"category": title} if title else {}),
    }


def _summarization(row: Row, _source: DatasetSource) -> Iterator[Fields]:
    text = _text(row, ("article", "document", "dialogue", "text"))
    summary = _text(row, ("highlights", "summary", "abstract"))
    yield {
        **_identity(row, ("id",)),
        "prompt": f"Summarize the text.\n\n{text}",
        "context": [text],
        "expected": [summary],
    }


def _translation(row: Row, source: DatasetSource) -> Iterator[Fields]:
    pair = row.get("translation") if isinstance(row.get("translation"), Mapping) else row
    given, wanted = source.options.get("source", "en"), source.options.get("target", "de")
    text, expected = _text(pair or {}, (given,)), _text(pair or {}, (wanted,))
    yield {
        **_identity(row, ("id",)),
        "prompt": f"Translate from {given} to {wanted}.\n\n{text}",
        "expected": [expected],
    }


def _bedrock(row: Row, _source: DatasetSource) -> Iterator[Fields]:
    answers = {
        str(each["modelIdentifier"]): _as_text(each["response"], "response")
        for each in row.get("modelResponses") or ()
        if "response" in each
    }
    fields: Fields = {"prompt": _text(row, ("prompt",))}
    if row.get("referenceResponse"):
        fields["expected"] = [_text(row, ("referenceResponse",))]
    if row.get("category"):
        fields["category"] = str(row["category"])
    yield fields | ({"answers": answers} if answers else {})


def _bedrock_rag(row: Row, _source: DatasetSource) -> Iterator[Fields]:
    turns = row.get("conversationTurns")
    if not isinstance(turns, list) or not turns:
        raise ValueError("conversationTurns is missing")
    last = turns[-1]
    messages: list[Fields] = []
    for turn in turns[:-1]:
        messages.append({"role": "user", "text": _content(turn["prompt"])})
        earlier = turn.get("output", {}).get("text") or "\n".join(_references(turn))
        if earlier:
            messages.append({"role": "assistant", "text": earlier})
    messages.append({"role": "user", "text": _content(last["prompt"])})
    output = last.get("output", {})
    passages = output.get("retrievedPassages", {}).get("retrievalResults", ())
    fields: Fields = {"messages": messages, "context": [_content({"content": [each["content"]]}) for each in passages]}
    if _references(last):
        fields["expected"] = _references(last)
    if output.get("text"):
        source = output.get("modelIdentifier") or output.get("knowledgeBaseIdentifier") or "precomputed"
        fields["answers"] = {str(source): _as_text(output["text"], "output.text")}
    yield fields


def _content(section: Mapping[str, Any]) -> str:
    return "\n".join(_as_text(part["text"], "text") for part in section["content"])


def _references(turn: Mapping[str, Any]) -> list[str]:
    return [_content(each) for each in turn.get("referenceResponses", ())]


def _identity(row: Row, names: Sequence[str]) -> Fields:
    found = next((row[name] for name in names if row.get(name) not in (None, "")), None)
    return {} if found is None else {"id": str(found)}


_LAYOUTS: dict[DatasetFormat, Callable[[Row, DatasetSource], Iterator[Fields]]] = {
    DatasetFormat.GLUE_STSB: _similarity,
    DatasetFormat.HELLASWAG: _hellaswag,
    DatasetFormat.MMLU: _mmlu,
    DatasetFormat.SQUAD: _squad,
    DatasetFormat.SUMMARIZATION: _summarization,
    DatasetFormat.TRANSLATION: _translation,
    DatasetFormat.BEDROCK: _bedrock,
    DatasetFormat.BEDROCK_RAG: _bedrock_rag,
}
