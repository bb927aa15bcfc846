"""Why: one screen, what counts first, what is not known said."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from hallmark.cli.reason_screens import why_screen
from hallmark.lineage.model import NodeKind, RecordedFact
from hallmark.lineage.questions import Candidates
from hallmark.lineage.reasoned import WhyAnswer, WhyQuestion
from tests.fakes.lineage_facts import edge, fact, minute, node
from tests.fakes.shipped_model import (
    BOB,
    ENDPOINT,
    alert,
    answerer,
    asked,
    deployed,
    hallmark,
    judged,
    package,
    story,
    trained,
)


def why(name: str = "endpoint:churn-live", facts: list[RecordedFact] | None = None, **times: object) -> WhyAnswer:
    answer = asked(story() if facts is None else facts, WhyQuestion.model_validate({"node": name, **times}))
    assert isinstance(answer, WhyAnswer)
    return answer


def test_an_endpoint_says_what_it_serves_since_when_and_instead_of_what() -> None:
    answer = why()

    assert [(each.variant, each.package.key) for each in answer.serving if each.package] == [
        ("AllTraffic", package(2).key)
    ]
    assert answer.since == minute(40)
    assert answer.replaced is not None
    assert answer.replaced.until == minute(40)
    assert [each.package.key for each in answer.replaced.models if each.package] == [package(1).key]


def test_the_model_says_what_it_was_made_of_and_by_whom() -> None:
    [origin] = why().models

    assert origin.made_by is not None
    assert origin.made_by.label == "train-2"
    assert [(use.role, use.node.label.startswith("train v2")) for use in origin.data] == [("train", True)]
    assert origin.code == ("churn@aaaaaaaa",)
    assert origin.images == ("train@22222222",)
    assert [(actor.did, actor.by.rpartition("/")[2], actor.machine) for actor in origin.people] == [
        ("trained", "alice", False)
    ]
    assert origin.version is not None
    assert origin.version.version == "1.1.0"


def test_the_gate_is_told_by_the_criterion_that_passed_most_closely_first() -> None:
    [origin] = why().models
    [verdict] = origin.verdicts

    assert (verdict.gate, verdict.node.status, verdict.criteria) == ("release", "Passed", 2)
    assert [each.name for each in verdict.deciding] == ["recall", "accuracy"]


def test_of_a_verdict_that_failed_the_criteria_that_failed_decide() -> None:
    criteria = {
        "accuracy": {"outcome": "passed", "value": 0.9, "threshold": 0.8},
        "recall": {"outcome": "failed", "value": 0.5, "low": 0.4, "high": 0.6, "threshold": 0.8},
    }
    facts = [*trained(1, 10, data="january"), judged(1, 15, "Failed", criteria)]
    [origin] = why("verdict:release-1-15", facts).models

    [decided] = origin.verdicts[0].deciding
    assert (decided.name, decided.outcome) == ("recall", "failed")
    assert decided.margin == pytest.approx(-0.2)


def test_of_two_verdicts_of_one_gate_the_newest_counts() -> None:
    facts = [*story(), judged(2, 38, "Failed", {})]
    [origin] = why(facts=facts).models

    assert [each.node.status for each in origin.verdicts] == ["Failed"]


def test_the_approval_is_told_with_the_person_and_the_reason() -> None:
    [origin] = why().models
    [decision] = origin.decisions

    assert (decision.kind, decision.by, decision.reason, decision.machine) == (
        "approval",
        BOB.id,
        "version 2 was fine in the shadow test",
        False,
    )


def test_an_approval_of_which_only_the_registry_tells_has_no_person() -> None:
    facts = [*trained(1, 10, data="a"), fact(package(1), at=15, recorded=15, approval_status="Approved")]
    [decision] = why("churn/1", facts).models[0].decisions

    assert (decision.kind, decision.did, decision.by) == ("registry", "Approved in the registry", "")


def test_a_retraining_is_told_from_the_drift_to_the_run() -> None:
    [origin] = why().models

    assert [step.node.kind for step in origin.cause] == [
        NodeKind.DRIFT_REPORT,
        NodeKind.ACTION,
        NodeKind.PIPELINE_EXECUTION,
        NodeKind.TRAINING_JOB,
    ]
    assert origin.cause[0].said == "alcohol rose by 0.4"


def test_open_alerts_are_told_and_resolved_ones_are_not() -> None:
    verdict = hallmark(NodeKind.VERDICT, "release-2-35")

    assert [each.severity for each in why().alerts] == ["critical"]
    assert why(facts=[*story(), alert(verdict, 50, "Resolved")]).alerts == ()


def test_what_is_not_known_is_said_with_what_would_mend_it() -> None:
    facts = [*trained(1, 10, data="a", code=None), *deployed(1, 20)]
    unknown = {each.what: each.remedy for each in why(facts=facts).unknown}

    assert any("No commit is known of train-1" in what and "git_commit" in unknown[what] for what in unknown)
    assert any("No verdict" in what for what in unknown)
    assert any("No approval" in what for what in unknown)


def test_an_endpoint_of_which_nothing_but_its_state_is_known_says_so() -> None:
    answer = why(facts=[fact(ENDPOINT, status="InService", at=5, name="churn-live")])

    assert answer.serving == ()
    assert "not known which model" in answer.unknown[0].what


def test_a_verdict_says_what_it_is_about() -> None:
    answer = why("verdict:release-2-35")

    assert answer.said == ("release passed",)
    assert [each.key for each in answer.about] == [package(2).key]
    assert [origin.model.key for origin in answer.models] == [package(2).key]


def test_the_answer_is_that_of_its_times() -> None:
    then = why(as_of=minute(25))
    late = [each for each in story() if each.recorded_at <= minute(39)]

    assert [each.package.key for each in then.serving if each.package] == [package(1).key]
    assert then.replaced is None
    assert why(known_at=minute(39)).serving == why(facts=late).serving
    assert why(known_at=minute(39)).known_at == minute(39)


def test_an_ambiguous_name_gets_candidates() -> None:
    assert isinstance(answerer(story()).answer(WhyQuestion(node="churn-")), Candidates)


def test_a_call_that_cloudtrail_told_of_says_who_approved() -> None:
    action = hallmark(NodeKind.ACTION, "cloudtrail-1")
    call = fact(
        action,
        edge(action, package(2), role="done", at=36.5),
        at=36.5,
        recorded=37,
        status="Done",
        name="UpdateModelPackage",
        approval_status="Approved",
        actor="role",
        by="arn:aws:iam::111122223333:role/pipeline",
        reason="",
    )
    [origin] = why(facts=[*story(), call]).models

    assert ("call", "Approved (UpdateModelPackage)", True) in {
        (each.kind, each.did, each.machine) for each in origin.decisions
    }


def test_the_screen_of_an_endpoint_has_at_most_forty_lines() -> None:
    criteria = {f"criterion {number}": {"outcome": "passed", "value": 0.9, "threshold": 0.8} for number in range(9)}
    channels = [
        edge(node(NodeKind.FEATURE_GROUP, f"features-{number}"), node(NodeKind.TRAINING_JOB, "train-2", born=30),
             role=f"channel-{number}", at=30)
        for number in range(30)
    ]  # fmt: skip
    job = node(NodeKind.TRAINING_JOB, "train-2", born=30)
    verdicts = [judged(2, 37 + number / 10, "Failed", criteria, gate=f"gate-{number}") for number in range(8)]
    crowded = [*story(), fact(job, *channels, at=30, recorded=31), *verdicts]
    out = StringIO()

    Console(file=out, width=80).print(why_screen(why(facts=crowded)))

    text = out.getvalue()
    assert len(text.splitlines()) <= 40
    for told in ("churn-live", "churn v2 1.1.0", "churn v1", "train-2", "bob", "alcohol rose", "DriftDetected"):
        assert told in text, told
