from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from hallmark.cli.gate_reports import junit, markdown
from hallmark.events.gates import QualityGateDecided
from hallmark.gates.applying import Ports, apply_gate, looks_of
from hallmark.gates.content import policy_digest
from hallmark.gates.evidence import Source
from hallmark.gates.origins import LineageEvidence, MonitorState, Snapshot
from hallmark.gates.ports import RunFound, Subject
from hallmark.gates.requests import GateRequest
from hallmark.gates.settings import GatesPolicy
from hallmark.gates.verdicts import RequestState, Verdict, decided_event
from tests.unit.gates.gate_evidence import NOW, PACKAGE, counted, suite

REQUEST = GateRequest(gate="g", model=PACKAGE, request_id="r", trigger="manual", requested_by="arn:aws:iam::1:user/u")


class World:
    """Everything that lies elsewhere, in memory."""

    def __init__(self, run: RunFound, model_id: str = "m") -> None:
        self.run, self.model_id = run, model_id
        self.asked: list[tuple[str, str]] = []
        self.told: list[Verdict] = []
        self.kept: dict[str, Verdict] = {}
        self.states: list[RequestState] = []
        self.watching: tuple[MonitorState, ...] | None = None
        self.origin: LineageEvidence | None = LineageEvidence(node=PACKAGE)

    def describe(self, model: str) -> Subject:
        return Subject(model=model, name="wine:3", group="wine", package=model, model_id=self.model_id)

    def of_suite(self, suite: str, subject: Subject) -> RunFound:
        return self.run

    def of_package(self, subject: Subject) -> tuple[Source | None, tuple[str, ...]]:
        return None, ("it names no quality report",)

    def provenance(self, subject: Subject, *, with_tags: bool) -> LineageEvidence | None:
        return self.origin

    def monitors(self, subject: Subject) -> tuple[MonitorState, ...] | None:
        return self.watching

    def add(self, verdict: Verdict) -> Verdict:
        return self.kept.setdefault(verdict.request.digest, verdict)

    def find(self, request: GateRequest) -> Verdict | None:
        return self.kept.get(request.digest)

    def note(self, state: RequestState) -> None:
        self.states.append(state)

    def request_evaluation(self, suite: str, subject: Subject, request_id: str) -> None:
        self.asked.append((suite, request_id))

    def tell(self, verdict: Verdict) -> None:
        self.told.append(verdict)

    @property
    def ports(self) -> Ports:
        return Ports(registry=self, reports=self, lineage=self, verdicts=self, announcer=self)


def policy(**more: Any) -> GatesPolicy:
    gate = {
        "stage": "staging",
        "models": {"model_package_groups": ["wine"]},
        "suites": ["s"],
        "criteria": {"accurate": {"kind": "absolute", "metric": "accuracy", "at_least": 0.8}},
        "max_evidence_age": "1 day",
        **more,
    }
    return GatesPolicy.model_validate({"gates": {"g": gate}})


def look(world: World, number: int, looks: int = 4, **more: Any) -> Verdict | None:
    return apply_gate(REQUEST, policy(**more), world.ports, look=number, looks=looks, now=NOW).verdict


GOOD = RunFound(source=suite(counted("accuracy", 98, 100)))
MISSING = RunFound(reason="no completed run of it includes this model")


def test_evidence_that_is_there_is_judged_at_once_and_told() -> None:
    world = World(GOOD)

    verdict = look(world, 0)

    assert verdict is not None
    assert (verdict.outcome, verdict.id) == ("passed", f"hallmark:verdict/{REQUEST.digest}")
    assert world.told == [verdict]
    assert world.asked == []


def test_missing_evidence_is_asked_for_once_and_waited_for() -> None:
    world = World(MISSING)

    assert look(world, 0) is None
    assert world.asked == []
    assert look(world, 1) is None
    assert look(world, 2) is None
    assert world.asked == [("s", f"{REQUEST.digest}:s")]
    assert world.states[-1].reason == "evidence of s"
    world.run = GOOD
    found = look(world, 3)
    assert found is not None
    assert found.outcome == "passed"


def test_a_run_on_its_way_is_not_asked_for_again() -> None:
    world = World(MISSING._replace(is_running=True))

    look(world, 1)

    assert world.asked == []


def test_a_run_that_was_asked_for_and_failed_is_not_waited_for() -> None:
    world = World(MISSING._replace(has_failed=True, reason="its run s-1 failed: no money"))

    assert look(world, 1, looks=9) is None
    assert look(world, 2, looks=9) is None
    verdict = look(world, 3, looks=9)
    assert verdict is not None
    assert "its run s-1 failed: no money" in verdict.criteria[0].why


def test_stale_evidence_is_asked_for_and_proves_nothing_where_none_comes() -> None:
    world = World(RunFound(source=suite(counted("accuracy", 98, 100), age=timedelta(days=2))))

    assert look(world, 1) is None
    assert len(world.asked) == 1
    verdict = look(world, 3)
    assert verdict is not None
    assert verdict.outcome == "inconclusive"
    assert "stale" in verdict.summary


def test_after_the_last_look_missing_evidence_cannot_be_told() -> None:
    verdict = look(World(MISSING), 3)

    assert verdict is not None
    assert verdict.outcome == "inconclusive"
    assert "no completed run of it includes this model" in verdict.criteria[0].why


def test_what_can_never_be_evaluated_is_not_waited_for() -> None:
    verdict = look(World(MISSING, model_id=""), 0)

    assert verdict is not None
    assert verdict.outcome == "inconclusive"


def test_a_repeat_tells_the_verdict_that_is_kept_whatever_the_evidence_says_now() -> None:
    world = World(GOOD)
    first = look(world, 0)
    world.run = RunFound(source=suite(counted("accuracy", 2, 100)))

    assert look(world, 0) == first
    assert world.told == [first, first]


@pytest.mark.parametrize(
    ("right", "more", "action"),
    [
        (98, {}, "none"),
        (98, {"stage": "production"}, "promote"),
        (98, {"approval": {"required": True}}, "ask_for_approval"),
        (10, {}, "block"),
        (10, {"stage": "production"}, "roll_back"),
        (10, {"stage": "development"}, "log"),
        (80, {}, "none"),
        (80, {"stage": "production"}, "none"),
    ],
)
def test_what_follows_is_said(right: int, more: dict[str, Any], action: str) -> None:
    verdict = look(World(RunFound(source=suite(counted("accuracy", right, 100)))), 0, **more)

    assert verdict is not None
    assert verdict.action == action


def test_the_event_tells_lineage_what_the_verdict_rests_on() -> None:
    verdict = look(World(GOOD), 0)
    assert verdict is not None

    event = decided_event(verdict)

    assert QualityGateDecided.model_validate_json(event.model_dump_json(by_alias=True)) == event
    assert verdict.detail_type == "QualityGatePassed"
    assert event.lineage.at == verdict.decided_at
    assert [(flow.node.kind, flow.direction) for flow in event.lineage.flows] == [
        ("evaluation", "in"),
        ("model-package", "in"),
    ]


def test_there_are_as_many_looks_as_fit_into_the_time_and_two_at_least() -> None:
    assert looks_of(policy(evidence_time="10 minutes"), "g", 60) == 11
    assert looks_of(policy(evidence_time="1 second"), "g", 60) == 3


def test_a_verdict_as_junit_and_markdown() -> None:
    criteria = {
        "accurate": {"kind": "absolute", "metric": "accuracy", "at_least": 0.8},
        "recalls": {"kind": "absolute", "metric": "recall", "at_least": 0.8},
        "exact": {"kind": "absolute", "metric": "f1", "at_least": 0.8},
    }
    world = World(RunFound(source=suite(counted("accuracy", 98, 100), counted("f1", 10, 100))))
    verdict = look(world, 0, criteria=criteria)
    assert verdict is not None

    xml = fromstring(junit(verdict))  # noqa: S314 - written a moment ago

    assert (xml.get("tests"), xml.get("failures"), xml.get("errors")) == ("3", "1", "1")
    assert [case.get("name") for case in xml.findall("testcase")] == ["accurate", "exact", "recalls"]
    assert xml.find("testcase[@name='exact']/failure") is not None
    text = markdown(verdict)
    assert text.startswith("## ❌ wine:3 at g: failed")
    assert "| ✅ | accurate (accuracy) | 0.98 |" in text


def test_a_package_that_lineage_does_not_know_yet_is_looked_for_twice_and_then_judged_without() -> None:
    world = World(GOOD)
    world.origin = None

    assert [look(world, number) for number in (0, 1)] == [None, None]
    assert world.states[-1].reason == "lineage to know the package"
    verdict = look(world, 2)

    assert verdict is not None
    assert verdict.judged is not None
    assert verdict.judged.data == []


def test_drift_that_lineage_does_not_know_yet_is_looked_for_twice_and_then_judged_without() -> None:
    request = REQUEST.model_copy(update={"trigger": "drift"})
    steady = policy(suites=[], criteria={"steady": {"kind": "drift"}})

    def ask(world: World, number: int, asked: GateRequest = request) -> str | None:
        verdict = apply_gate(asked, steady, world.ports, look=number, looks=4, now=NOW).verdict
        return verdict.outcome if verdict is not None else None

    late, never = World(GOOD), World(GOOD)
    assert ask(late, 0) is None
    assert late.states[-1].reason == "lineage to know the drift"
    late.watching = (MonitorState(monitor="traffic", subject="live", is_open=True),)
    assert ask(late, 1) == "failed"
    assert [ask(never, number) for number in (0, 1, 2)] == [None, None, "inconclusive"]
    # Whoever else asks is answered at once.
    assert ask(World(GOOD), 0, REQUEST) == "inconclusive"


def test_a_verdict_says_of_which_bytes_it_was_given() -> None:
    world = World(RunFound(source=suite(counted("accuracy", 98, 100)).model_copy(update=FILE)))
    known = Snapshot(name="s3://data/train", digest="a" * 64, is_snapshot=True, trained_on=True)
    other = Snapshot(name="s3://data/other", digest="b" * 64, is_snapshot=True, trained_on=False)
    world.origin = LineageEvidence(node=PACKAGE, snapshots=(known, other))

    verdict = look(world, 0)

    assert verdict is not None
    judged = verdict.judged
    assert judged is not None
    assert [(each.uri, each.digest) for each in judged.data] == [("s3://data/train", "a" * 64)]
    assert [(each.uri, each.digest) for each in judged.reports] == [(FILE["document"], FILE["digest"])]
    assert judged.expires_at == NOW - timedelta(hours=1) + timedelta(days=1)
    assert judged.policy_digest == policy_digest(policy().gates["g"])
    assert decided_event(verdict).judged == judged


def test_the_digest_of_a_policy_is_that_of_what_it_says_and_not_of_how() -> None:
    same = {"on_failure": None, "confidence": 0.95}

    assert policy_digest(policy(**same).gates["g"]) == policy_digest(policy().gates["g"])
    for change in ({"confidence": 0.9}, {"max_evidence_age": "2 days"}, {"owners": ["a"]}):
        assert policy_digest(policy(**change).gates["g"]) != policy_digest(policy().gates["g"])


FILE = {"document": "s3://reports/s/report.json", "digest": "d" * 64}
