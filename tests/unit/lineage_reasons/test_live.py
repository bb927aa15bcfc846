"""Live: what was in production at one time, as it was known at another; held against a naive replay of the facts."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.lineage.model import Edge, Fact, NodeKind, RecordedFact
from hallmark.lineage.questions import read_answer, read_question
from hallmark.lineage.reasoned import LiveAnswer, LiveQuestion
from tests.fakes.lineage_facts import edge, fact, minute, node
from tests.fakes.shipped_model import BOB, ENDPOINT, answerer, approved, asked, deployed, package, story, trained

SERVING = {"InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed"}
STATUSES = ["Creating", "InService", "Updating", "OutOfService", "Failed", "UpdateRollbackFailed", "Deleted"]
NAMES = "abc"


def live(facts: list[RecordedFact], **question: object) -> LiveAnswer:
    answer = asked(facts, LiveQuestion.model_validate(question))
    assert isinstance(answer, LiveAnswer)
    return answer


@st.composite
def deployments(draw: st.DrawFn) -> list[RecordedFact]:
    """Draw what happened to a few endpoints, and when it was learned: some of it late, not in order."""
    facts: dict[str, RecordedFact] = {}
    for name, status, config, at, recorded in draw(
        st.lists(
            st.tuples(
                st.sampled_from(NAMES),
                st.sampled_from(STATUSES),
                st.sampled_from(["one", "two", "three"]),
                st.integers(0, 20),
                st.integers(0, 30),
            ),
            max_size=14,
        )
    ):
        subject = node(NodeKind.ENDPOINT, name, born=0)
        served = edge(node(NodeKind.ENDPOINT_CONFIG, config, born=0), subject, role="config", at=at, exclusive=True)
        told = [served] if status in {"InService", "Updating"} else []
        made = fact(subject, *told, status=status, at=at, recorded=recorded)
        facts.setdefault(made.fact.id, made)
    for config, model in (("one", "m1"), ("two", "m2"), ("three", "m3")):
        where = node(NodeKind.ENDPOINT_CONFIG, config, born=0)
        made = fact(where, edge(node(NodeKind.MODEL, model, born=0), where, role="AllTraffic"), status=None)
        facts.setdefault(made.fact.id, made)
    return list(facts.values())


def replayed(facts: list[RecordedFact], as_of: datetime, known_at: datetime) -> dict[str, tuple[str, ...]]:
    """Return which models each endpoint in service served: every fact that was known, one after the other."""
    known = [recorded.fact for recorded in facts if recorded.recorded_at <= known_at]
    found: dict[str, tuple[str, ...]] = {}
    for name in NAMES:
        key = node(NodeKind.ENDPOINT, name, born=0).key
        states = [state for told in known for state in told.states if state.node.key == key]
        if any(state.status == "Deleted" and state.at is not None and state.at <= as_of for state in states):
            continue
        past = [state for state in states if state.at is not None and state.at <= as_of]
        # Of two states of one time the one whose digest sorts later counts.
        newest = max(past, key=lambda state: (state.at, state.digest), default=None)
        if newest is None or newest.status not in SERVING:
            continue
        edges = [told for each in known for told in each.edges if told.target.key == key and told.valid_from <= as_of]
        config = max(edges, key=lambda told: (told.valid_from, told.source.key), default=None)
        found[key] = () if config is None else tuple(sorted(_models(known, config)))
    return found


def _models(known: list[Fact], config: Edge) -> set[str]:
    edges = [told for each in known for told in each.edges if told.target.key == config.source.key]
    return {told.source.key for told in edges}


@settings(max_examples=200, deadline=None)
@given(deployments(), st.integers(0, 22), st.integers(0, 32))
def test_what_was_live_is_what_a_naive_replay_of_the_facts_says(
    facts: list[RecordedFact], as_of: int, known_at: int
) -> None:
    answer = live(facts, as_of=minute(as_of), known_at=minute(known_at))

    told = {each.endpoint.key: tuple(sorted(model.model.key for model in each.models)) for each in answer.endpoints}
    assert told == replayed(facts, minute(as_of), minute(known_at))
    assert answer.in_service == len(told)


@settings(max_examples=50, deadline=None)
@given(deployments(), st.randoms(use_true_random=True))
def test_the_order_in_which_facts_arrive_does_not_matter(facts: list[RecordedFact], random: object) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert live(facts, as_of=minute(10)) == live(shuffled, as_of=minute(10))


def test_an_endpoint_tells_its_model_and_who_had_approved_it() -> None:
    [found] = live(story()).endpoints
    [model] = found.models

    assert (found.since, model.variant) == (minute(40), "AllTraffic")
    assert model.package is not None
    assert model.package.key == package(2).key
    assert (model.approval_status, [each.by for each in model.approvals]) == ("Approved", [BOB.id])


def test_an_approval_that_was_learned_later_was_not_known_then() -> None:
    facts = [*trained(1, 10, data="a"), *approved(1, 16, recorded=90), *deployed(1, 20)]
    [then], [now] = (live(facts, as_of=minute(25), known_at=minute(when)).endpoints for when in (30, 95))

    assert (then.models[0].approval_status, then.models[0].approvals) == ("PendingManualApproval", ())
    assert (now.models[0].approval_status, [each.by for each in now.models[0].approvals]) == ("Approved", [BOB.id])


def test_what_was_believed_then_differs_from_what_is_known_now() -> None:
    late = fact(ENDPOINT, status="Deleted", at=50, recorded=500)
    facts = [*story(), late]

    assert live(facts, as_of=minute(60)).in_service == 0
    assert live(facts, as_of=minute(60), known_at=minute(400)).in_service == 1


def test_an_endpoint_that_is_only_named_is_counted_apart() -> None:
    named = node(NodeKind.ENDPOINT, "named")
    other = fact(node(NodeKind.TRAINING_JOB, "t", born=0), edge(named, node(NodeKind.TRAINING_JOB, "t", born=0)))

    answer = live([other])

    assert (answer.in_service, answer.untold) == (0, 1)


def test_pages_give_each_endpoint_once_and_what_comes_between_changes_nothing() -> None:
    facts = [fact(node(NodeKind.ENDPOINT, f"e{number}", born=0), status="InService") for number in range(7)]
    whole = answerer(facts)
    first = whole.answer(LiveQuestion(limit=3))
    assert isinstance(first, LiveAnswer)
    whole._rows.add([fact(node(NodeKind.ENDPOINT, "e00", born=0), status="InService", recorded=9)])

    pages = [first]
    while pages[-1].resume:
        page = whole.answer(LiveQuestion(limit=3, resume=pages[-1].resume))
        assert isinstance(page, LiveAnswer)
        pages.append(page)

    keys = [each.endpoint.key for page in pages for each in page.endpoints]
    assert keys == [node(NodeKind.ENDPOINT, f"e{number}", born=0).key for number in range(7)]
    assert [page.complete for page in pages] == [False, False, True]


def test_question_and_answer_go_through_json() -> None:
    question = LiveQuestion(as_of=minute(10))
    answer = live(story())

    assert read_question(question.model_dump(mode="json")) == question
    assert read_answer(answer.model_dump(mode="json")) == answer
