"""Blast radius: what an act would touch, what is certain of it, and what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.lineage.model import EdgeType, NodeKind, RecordedFact
from hallmark.lineage.reasoned import BlastAnswer, BlastQuestion
from tests.fakes.lineage_facts import edge, fact, node, place
from tests.fakes.shipped_model import (
    NEW_IMAGE,
    asked,
    content,
    described,
    listed,
    story,
)

NAIVE_KINDS = [NodeKind.PROCESSING_JOB, NodeKind.TRAINING_JOB]


def blast(act: str, target: str, facts: list[RecordedFact] | None = None, **question: object) -> BlastAnswer:
    asked_for = BlastQuestion.model_validate({"act": act, "target": target, **question})
    answer = asked(story() if facts is None else facts, asked_for)
    assert isinstance(answer, BlastAnswer)
    return answer


def touched(answer: BlastAnswer, effect: str) -> dict[str, bool]:
    return {hit.node.label: hit.certain for each in answer.effects if each.effect == effect for hit in each.hits}


def test_deleting_the_data_of_a_model_that_is_served_breaks_its_endpoint() -> None:
    answer = blast("delete", "s3://models/2")

    assert touched(answer, "breaks") == {"churn-live": True}
    assert "risk-team" in answer.owners


def test_deleting_the_data_of_a_former_model_breaks_nothing() -> None:
    assert touched(blast("delete", "s3://models/1"), "breaks") == {}


def test_a_run_whose_data_would_be_gone_cannot_be_repeated() -> None:
    assert touched(blast("delete", "s3://data/train/"), "cannot be repeated") == {"train-1": True, "train-2": True}


def test_a_run_whose_data_lies_elsewhere_too_can_be_repeated() -> None:
    copy = content("s3://backup/january", "january")
    keeper = node(NodeKind.PROCESSING_JOB, "keeper", born=12)
    facts = [*story(), fact(keeper, edge(copy, keeper, role="in", at=12), at=12)]

    answer = blast("delete", "s3://data/train", facts)

    assert touched(answer, "cannot be repeated") == {"train-2": True}
    assert [[other.key for other in kept.elsewhere] for kept in answer.kept] == [[copy.key]]


def test_a_name_that_only_begins_alike_is_not_below_the_prefix() -> None:
    answer = blast("delete", "s3://data/tra")

    assert answer.target_count == 0
    assert answer.effects == ()
    assert "Nothing that is recorded lies there" in answer.unknown[0].what


def test_a_part_of_what_was_read_is_told_by_the_listing_and_without_one_it_is_not_certain() -> None:
    january = content("s3://data/train", "january")
    facts = [
        described(january, listed(january, [["a/1.csv", "", "etag:1", 5]])),
        *story(),
    ]  # fmt: skip

    assert touched(blast("delete", "s3://data/train/a", facts), "cannot be repeated") == {
        "train-1": True,
        "train-2": False,
    }
    assert touched(blast("delete", "s3://data/train/b", facts), "cannot be repeated") == {"train-2": False}


def test_evidence_that_lies_there_is_lost() -> None:
    evaluation = node(NodeKind.EVALUATION, "run")
    cases = content("s3://evidence/cases", "cases")
    facts = [*story(), fact(evaluation, edge(cases, evaluation, role="sentiment", at=30), at=30)]

    assert touched(blast("delete", "s3://evidence", facts), "loses evidence") == {"run": True}


def test_of_a_place_whose_content_is_not_known_nobody_can_tell_whether_it_lies_elsewhere() -> None:
    job = node(NodeKind.TRAINING_JOB, "blind", born=1)
    answer = blast("delete", "s3://blind", [fact(job, edge(place("s3://blind/x"), job, role="train"))])

    assert touched(answer, "cannot be repeated") == {"blind": True}
    assert "only the address is known" in answer.unknown[0].what


def test_rejecting_a_model_touches_the_endpoint_that_serves_it_and_the_verdict_that_passed_it() -> None:
    answer = blast("reject", "churn/2")

    assert touched(answer, "must change") == {"churn-live": True}
    assert set(touched(answer, "is judged again")) == {"release: churn:2", "approved for production"}
    assert touched(blast("reject", "churn/1"), "must change") == {}


def test_rolling_an_image_touches_what_runs_in_it() -> None:
    answer = blast("roll", NEW_IMAGE.id)

    assert touched(answer, "must change") == {"churn-live": True, "churn v2": True}
    assert touched(answer, "is judged again") == {"release: churn:2": True}
    assert touched(answer, "cannot be repeated") == {"train-2": False}


def test_an_image_without_a_digest_means_all_of_its_repository() -> None:
    answer = blast("roll", NEW_IMAGE.id.partition("@")[0] + ":latest")

    assert answer.target_count == 2
    assert set(touched(answer, "must change")) == {"churn-live", "churn v1", "churn v2"}


def test_an_image_is_found_as_screens_name_it() -> None:
    assert [each.key for each in blast("roll", "train@22222222").targets] == [NEW_IMAGE.id]


def test_an_endpoint_whose_model_is_not_known_may_be_touched_and_that_is_said() -> None:
    blind = fact(node(NodeKind.ENDPOINT, "blind", born=0), status="InService", at=1)

    [unknown] = blast("delete", "s3://models/2", [*story(), blind]).unknown

    assert unknown.what.startswith("Of 1 endpoints in service the model")


def test_what_a_budget_cuts_is_said() -> None:
    assert blast("delete", "s3://data").complete
    assert not blast("delete", "s3://data", node_budget=2).complete


def pages_of(facts: list[RecordedFact], target: str, budget: int) -> list[BlastAnswer]:
    pages = [blast("delete", target, facts, node_budget=budget)]
    while pages[-1].resume is not None:
        assert not pages[-1].complete
        pages.append(blast("delete", target, facts, node_budget=budget, resume=pages[-1].resume))
    assert pages[-1].complete
    return pages


def many_runs(count: int) -> list[RecordedFact]:
    """Runs that each read a file of their own and write one which a further run reads."""
    facts = []
    for number in range(count):
        read, wrote = content(f"s3://lake/{number}", f"in-{number}"), content(f"s3://out/{number}", f"out-{number}")
        first, second = (
            node(NodeKind.TRAINING_JOB, f"{name}-{number:03}", born=number) for name in ("first", "second")
        )
        made = edge(first, wrote, EdgeType.PRODUCED, "model", number)
        facts.append(fact(first, edge(read, first, role="in", at=number), made, at=number))
        facts.append(fact(second, edge(wrote, second, role="in", at=number), at=number))
    return facts


@pytest.mark.parametrize("budget", [1, 7, 100, 1_000])
def test_the_pages_of_an_answer_that_was_cut_have_each_node_once_and_all_of_them(budget: int) -> None:
    pages = pages_of(many_runs(60), "s3://lake", budget)

    for effect, name in (("cannot be repeated", "first"), ("descends", "second")):
        hits = [hit.node.key for page in pages for each in page.effects if each.effect == effect for hit in each.hits]
        assert len(hits) == len(set(hits)) == 60
        assert all(f"{name}-" in key for key in hits)
        assert [each.count for each in pages[-1].effects if each.effect == effect] == [60]
    targets = [each.key for page in pages for each in page.targets]
    assert len(targets) == len(set(targets)) == 60


def test_an_answer_goes_on_as_it_began_though_facts_were_learned_since() -> None:
    first = blast("delete", "s3://lake", many_runs(120))
    late = fact(
        node(NodeKind.TRAINING_JOB, "aaa-late", born=1),
        edge(content("s3://lake/1", "in-1"), node(NodeKind.TRAINING_JOB, "aaa-late", born=1), role="in", at=1),
        at=1,
        recorded=10_000,
    )

    second = blast("delete", "s3://lake", [*many_runs(120), late], resume=first.resume)

    assert second.known_at == first.known_at
    assert not any("late" in hit.node.key for each in second.effects for hit in each.hits)


def test_the_token_of_another_question_is_refused() -> None:
    token = blast("delete", "s3://lake", many_runs(120)).resume

    with pytest.raises(InvalidInputError, match="resume"):
        blast("delete", "s3://out", many_runs(120), resume=token)


def test_what_was_in_service_then_counts_for_that_time() -> None:
    then = blast("delete", "s3://models/1", as_of=story()[8].fact.states[0].at)

    assert touched(then, "breaks") == {"churn-live": True}


@pytest.mark.parametrize(
    ("act", "target"), [("delete", "file:///tmp"), ("reject", "endpoint:churn-live"), ("roll", "endpoint:churn-live")]
)
def test_an_act_on_what_it_cannot_act_on_is_refused(act: str, target: str) -> None:
    with pytest.raises(InvalidInputError, match="target"):
        blast(act, target)


@st.composite
def flows(draw: st.DrawFn) -> list[RecordedFact]:
    """Draw runs that read and write a few places, and endpoints that serve what they wrote."""
    facts = []
    for number in range(draw(st.integers(1, 8))):
        job = node(draw(st.sampled_from(NAIVE_KINDS)), f"job-{number}", born=number)
        source, target = (draw(st.sampled_from("abcd")) for _ in range(2))
        read = content(f"s3://lake/{source}", f"{source}{draw(st.integers(0, 1))}")
        wrote = content(f"s3://lake/{target}", f"{target}{draw(st.integers(2, 3))}")
        edges = [edge(read, job, role="in", at=number), edge(job, wrote, EdgeType.PRODUCED, "out", number)]
        facts.append(fact(job, *edges, at=number, name=f"job-{number}"))
        if draw(st.booleans()):
            model, config = (
                node(kind, f"served-{number}", born=number) for kind in (NodeKind.MODEL, NodeKind.ENDPOINT_CONFIG)
            )
            endpoint = node(NodeKind.ENDPOINT, f"served-{number}", born=number)
            facts += [
                fact(model, edge(wrote, model, role="model-data", at=number), at=number, status=None),
                fact(config, edge(model, config, role="v", at=number), at=number, status=None),
                fact(endpoint, edge(config, endpoint, role="config", at=number, exclusive=True), status="InService",
                     at=number),
            ]  # fmt: skip
    return facts


@settings(max_examples=150, deadline=None)
@given(flows(), st.sampled_from("abcd"))
def test_what_breaks_and_what_cannot_be_repeated_is_what_a_naive_look_at_the_edges_finds(
    facts: list[RecordedFact], letter: str
) -> None:
    answer = blast("delete", f"s3://lake/{letter}", facts)
    edges = [told for recorded in facts for told in recorded.fact.edges]
    gone = {
        end.key for told in edges for end in (told.source, told.target) if end.id.startswith(f"s3://lake/{letter}#")
    }
    runs = {told.target.key for told in edges if told.source.key in gone and told.target.kind in NAIVE_KINDS}
    models = {told.target.key for told in edges if told.source.key in gone and told.target.kind is NodeKind.MODEL}
    configs = {told.target.key for told in edges if told.source.key in models}
    broken = {told.target.key for told in edges if told.source.key in configs}

    found = {each.effect: {hit.node.key for hit in each.hits} for each in answer.effects}
    assert found.get("breaks", set()) == broken
    assert found.get("cannot be repeated", set()) == runs
    assert answer.complete
