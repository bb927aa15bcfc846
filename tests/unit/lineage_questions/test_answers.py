"""Answers: whole or said to be cut, with candidates where a name does not tell."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hallmark.errors import InvalidInputError
from hallmark.lineage.answering import Answerer
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.questions import (
    Candidates,
    Direction,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TraceQuestion,
    read_question,
)
from hallmark.lineage.rows import GraphRows
from hallmark.lineage.surveyed import ImpactAnswer, ImpactQuestion, ListAnswer, ListQuestion, PathAnswer, PathQuestion
from tests.fakes.lineage_facts import edge, fact, node, version
from tests.fakes.memory_store import MemoryStore

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HUB = version("s3://data/hub", "0" * 64)
ROOT = node(NodeKind.PIPELINE, "maker", born=0)


def answerer(children: int = 25) -> tuple[Answerer, GraphRows, MemoryStore]:
    """Return an answerer for a hub dataset that many training jobs read, each making a model of its own."""
    store, rows = MemoryStore(), GraphRows()
    facts = [fact(ROOT, edge(ROOT, HUB, EdgeType.PRODUCED), name="maker")]
    for number in range(children):
        job = node(NodeKind.TRAINING_JOB, f"job-{number:03}", born=1)
        made = version(f"s3://models/{number:03}", f"{number:064}")
        facts.append(
            fact(job, edge(HUB, job, role="train", at=1), edge(job, made, EdgeType.PRODUCED, "model", 2), at=2)
        )
    for recorded in facts:
        store.add(recorded.fact, recorded.recorded_at)
    rows.add(store.since(None))
    return Answerer(rows, store, lambda: NOW), rows, store


def trace(asked: Answerer, **question: object) -> TraceAnswer:
    answer = asked.answer(TraceQuestion.model_validate({"node": HUB.key, "direction": "down", **question}))
    assert isinstance(answer, TraceAnswer)
    return answer


@pytest.mark.parametrize("budget", [1, 7, 50, 51, 52])
def test_pages_give_each_node_and_each_edge_exactly_once(budget: int) -> None:
    asked, _, _ = answerer()
    whole = trace(asked)
    nodes, edges, resume = [], [], None
    while True:
        page = trace(asked, node_budget=budget, resume=resume)
        nodes += [found.key for found in page.nodes]
        edges += [(found.source, found.target) for found in page.edges]
        assert page.complete is (page.resume is None)
        if page.resume is None:
            break
        assert len(page.nodes) == budget
        resume = page.resume

    assert nodes == [found.key for found in whole.nodes]
    assert sorted(edges) == sorted((found.source, found.target) for found in whole.edges)


def test_facts_that_arrive_between_two_pages_do_not_disturb_them() -> None:
    asked, rows, _ = answerer()
    whole = [found.key for found in trace(asked).nodes]
    first = trace(asked, node_budget=20)
    late = node(NodeKind.TRAINING_JOB, "job-000-late", born=3)
    rows.add([fact(late, edge(HUB, late, at=3), recorded=60)])

    second = trace(asked, node_budget=1000, resume=first.resume)

    assert [found.key for found in (*first.nodes, *second.nodes)] == whole


def test_depth_counts_edges() -> None:
    asked, _, _ = answerer(3)

    assert {found.depth for found in trace(asked, depth=1).nodes} == {0, 1}
    assert len(trace(asked, depth=0).nodes) == 1


def test_a_walk_that_ran_out_of_time_says_that_it_was_cut() -> None:
    asked, _, _ = answerer()

    answer = trace(asked, time_budget_seconds=1e-9)

    assert not answer.complete
    assert answer.resume is not None


def test_a_resume_token_that_no_answer_gave_is_refused() -> None:
    asked, _, _ = answerer()

    with pytest.raises(InvalidInputError, match="resume"):
        trace(asked, resume="made-up")


@pytest.mark.parametrize("asked_for", ["job-007", "training-job:job-007", "training-job/job-007"])
def test_a_node_is_found_by_a_unique_part_of_its_name(asked_for: str) -> None:
    asked, _, _ = answerer()

    answer = asked.answer(TraceQuestion(node=asked_for))

    assert isinstance(answer, TraceAnswer)
    assert answer.start.label == "job-007"


def test_an_ambiguous_name_gets_the_candidates() -> None:
    asked, _, _ = answerer()

    answer = asked.answer(TraceQuestion(node="job-00"))

    assert isinstance(answer, Candidates)
    assert answer.reason == "ambiguous"
    assert {found.label for found in answer.candidates} == {f"job-00{number}" for number in range(10)}


def test_an_unknown_name_gets_the_closest() -> None:
    asked, _, _ = answerer()

    answer = asked.answer(TraceQuestion(node="jobb-007"))

    assert isinstance(answer, Candidates)
    assert answer.reason == "unknown"
    assert "job-007" in {found.label for found in answer.candidates}


def test_an_impact_counts_what_it_does_not_list_and_says_when_it_was_cut() -> None:
    asked, _, _ = answerer(80)

    answer = asked.answer(ImpactQuestion(node=HUB.key))
    cut = asked.answer(ImpactQuestion(node=HUB.key, node_budget=10))

    assert isinstance(answer, ImpactAnswer)
    assert isinstance(cut, ImpactAnswer)
    jobs = next(affected for affected in answer.affected if affected.kind is NodeKind.TRAINING_JOB)
    assert (jobs.count, len(jobs.nodes), answer.complete) == (80, 50, True)
    assert not cut.complete


@pytest.mark.parametrize("budget", [1, 7, 60, 10_000])
def test_the_pages_of_an_impact_have_each_node_once_and_all_of_them(budget: int) -> None:
    asked, _, _ = answerer(130)
    whole = asked.answer(TraceQuestion(node=HUB.key, direction=Direction.DOWN))
    assert isinstance(whole, TraceAnswer)
    found: list[str] = []
    resume = None
    while True:
        page = asked.answer(ImpactQuestion(node=HUB.key, node_budget=budget, resume=resume))
        assert isinstance(page, ImpactAnswer)
        found += [node.key for kind in page.affected for node in kind.nodes]
        resume = page.resume
        if resume is None:
            break

    assert page.complete
    assert len(found) == len(set(found)) == sum(kind.count for kind in page.affected)
    assert set(found) == {node.key for node in whole.nodes} - {HUB.key}


def test_an_impact_does_not_go_on_with_the_token_of_another_question() -> None:
    asked, _, _ = answerer(130)
    first = asked.answer(ImpactQuestion(node=HUB.key))
    assert isinstance(first, ImpactAnswer)

    with pytest.raises(InvalidInputError, match="resume"):
        asked.answer(ImpactQuestion(node=ROOT.key, resume=first.resume))


def test_a_path_is_found_in_either_order() -> None:
    asked, _, _ = answerer(2)
    there = asked.answer(PathQuestion(source=ROOT.key, target="job-001"))
    back = asked.answer(PathQuestion(source="job-001", target=ROOT.key))

    assert isinstance(there, PathAnswer)
    assert there == back
    assert [found.kind for found in there.nodes] == [NodeKind.PIPELINE, NodeKind.DATASET_VERSION, NodeKind.TRAINING_JOB]


def test_a_list_is_paged_without_loss() -> None:
    asked, _, _ = answerer()
    found, resume = [], None
    while True:
        page = asked.answer(ListQuestion(kind=NodeKind.TRAINING_JOB, limit=4, resume=resume))
        assert isinstance(page, ListAnswer)
        found += [summary.label for summary in page.nodes]
        resume = page.resume
        if page.complete:
            break

    assert sorted(found) == [f"job-{number:03}" for number in range(25)]


def test_a_node_shows_its_states_and_neighbours() -> None:
    asked, _, _ = answerer(2)

    answer = asked.answer(ShowQuestion(node="job-001"))

    assert isinstance(answer, ShowAnswer)
    assert [found.role for found in answer.upstream] == ["train"]
    assert [found.role for found in answer.downstream] == ["model"]
    assert [(entry.field, entry.after) for entry in answer.history] == [("status", "Completed")]


@pytest.mark.parametrize(
    ("raw", "field"), [({"ask": "trace"}, "trace.node"), ({"ask": "sing"}, "the question"), ("text", "the question")]
)
def test_a_question_that_cannot_be_understood_names_its_fault(raw: object, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_question(raw)

    assert caught.value.field == field


def test_upwards_is_the_default() -> None:
    assert TraceQuestion(node="x").direction is Direction.UP


def test_an_answer_that_was_made_without_checks_is_one_that_checks_would_have_made() -> None:
    asked, _, _ = answerer(12)
    answer = asked.answer(TraceQuestion(node=HUB.key, direction=Direction.DOWN))
    assert isinstance(answer, TraceAnswer)

    again = TraceAnswer.model_validate_json(answer.model_dump_json())

    assert again == answer
    assert again.model_dump_json() == answer.model_dump_json()
    assert answer.nodes[0].model_copy(update={"label": "x"}).label == "x"
