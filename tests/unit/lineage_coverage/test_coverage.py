"""Coverage: what AWS lists against what is recorded, each gap with its reason and its remedy."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.coverage.asking import read_coverage_question
from hallmark.lineage.coverage.measuring import Record, measure
from hallmark.lineage.coverage.needs import NEEDS
from hallmark.lineage.coverage.report import LISTED_INCOMPLETE, KindCoverage
from hallmark.lineage.coverage.settings import CoveragePolicy
from hallmark.lineage.coverage.unmatched import find_unmatched, runs_of
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.listing import SWEPT, Allowance, Listed, ListingRefusedError
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin
from hallmark.lineage.ports import StoredObject
from hallmark.lineage.recording import record_description
from hallmark.lineage.references import resource_ref
from hallmark.lineage.rows import GraphRows
from tests.fakes.listed_account import FakeAccount, Resource
from tests.fakes.memory_store import NOW
from tests.fakes.recorded_jobs import BEGUN, CONTENTS, PREFIX, TAGS, TRAINING, Recorded, kept

REQUIRED = CoveragePolicy().required


class Desk:
    """An account whose training jobs are listed, and a record of some of them."""

    def __init__(self, contents: dict[str, Sequence[StoredObject]] | None = None, **more: Any) -> None:
        self.account = FakeAccount()
        self.record = Recorded(CONTENTS if contents is None else contents, **more)

    def job(
        self,
        name: str,
        *,
        record: bool = True,
        listed: bool = True,
        tags: Any = TAGS,
        request: dict[str, Any] | None = None,
        status: str = "Completed",
    ) -> str:
        arn = f"{PREFIX}:training-job/{name}"
        if listed:
            resource = Resource("training-job", arn, Listed(arn, BEGUN, status, NOW), {})
            self.account.add(resource)
        if record:
            asked = {**copy.deepcopy(request or TRAINING), "TrainingJobName": name}
            self.record.record(NodeKind.TRAINING_JOB, asked, tags, TrainingJobStatus=status)
        return arn

    @property
    def graph(self) -> LineageGraph:
        rows = GraphRows()
        rows.add(self.record.store.since(None))
        return LineageGraph(rows)

    def measure(
        self, *kinds: str, since: datetime | None = None, requests: int = 100, required: Sequence[str] = REQUIRED
    ) -> list[KindCoverage]:
        graph = self.graph
        record = Record(self.record.store, lambda kind, begun: runs_of(graph, kind, begun))
        allowance = Allowance(lambda: True, describes=1, requests=requests)
        return measure(kinds or ("training-job",), since, self.account, record, allowance, required)

    def measured(self, **more: Any) -> KindCoverage:
        (found,) = self.measure(**more)
        return found


def test_jobs_that_have_all_are_complete_and_the_share_is_a_number() -> None:
    desk = Desk()
    for name in ("a", "b", "c"):
        desk.job(name)
    desk.job("d", tags=())

    found = desk.measured()

    assert (found.in_account, found.recorded, found.judged, found.complete, found.percent) == (4, 4, 4, 3, 75.0)
    assert found.lacking == {"commit": 1, "reason": 4, "who": 4}
    (incomplete,) = found.incomplete
    assert incomplete.name == "d"
    (gap,) = [gap for gap in incomplete.gaps if gap.is_required]
    assert (gap.need, gap.remedy) == ("commit", "tag it git_commit and git_repository, e.g. from CI")
    assert found.whole


def test_what_the_policy_does_not_ask_for_is_reported_and_does_not_count() -> None:
    desk = Desk()
    desk.job("a", tags=())

    without = desk.measured(required=("data", "image"))
    with_who = desk.measured(required=("data", "who"))

    assert (without.complete, without.lacking["commit"]) == (1, 1)
    assert with_who.complete == 0


def refused(desk: Desk, uri: str, reason: str) -> None:
    desk.record.contents.refused[uri] = reason


def data_gap(desk: Desk) -> tuple[str, str]:
    (incomplete,) = desk.measured().incomplete
    (gap,) = [gap for gap in incomplete.gaps if gap.need == "data"]
    return gap.because, gap.remedy


def test_a_bucket_that_may_not_be_read_is_the_reason_and_its_line_of_the_policy_the_remedy() -> None:
    desk = Desk()
    refused(desk, "s3://bucket/extra", "AccessDenied: Access Denied")
    desk.job("a")

    because, remedy = data_gap(desk)

    assert because == "s3://bucket/extra: AccessDenied: Access Denied"
    assert remedy.startswith("add to hallmark.yaml, lineage.data_buckets: bucket")


def test_a_bucket_that_is_gone_cannot_be_mended() -> None:
    desk = Desk({uri: listed for uri, listed in CONTENTS.items() if uri != "s3://bucket/extra"})
    desk.job("a")

    assert data_gap(desk)[1].startswith("nothing mends it")


@pytest.mark.parametrize(
    ("listed", "reason", "remedy"),
    [
        ([kept(f"{n}.csv", str(n), "v") for n in range(4)], "only the first 3 objects", "lineage.snapshot.objects: 30"),
        ([], "nothing lay there", "URI is right"),
        (
            [kept("a.csv", "a")._replace(modified_at=NOW)],
            "1 objects changed after",
            "put-bucket-versioning --bucket bucket",
        ),
    ],
)
def test_what_was_not_listed_whole_says_why_and_what_to_do(
    listed: list[StoredObject], reason: str, remedy: str
) -> None:
    desk = Desk({**CONTENTS, "s3://bucket/extra": listed}, object_limit=3)
    desk.job("a")

    because, mend = data_gap(desk)

    assert reason in because
    assert remedy in mend


def test_an_image_that_is_known_by_its_tag_only_says_whose_registry_it_is() -> None:
    desk = Desk(digests={})
    other = copy.deepcopy(TRAINING)
    other["AlgorithmSpecification"]["TrainingImage"] = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sklearn:1"
    desk.job("own")
    desk.job("other", request=other)

    gaps = {each.name: next(gap for gap in each.gaps if gap.need == "image") for each in desk.measured().incomplete}

    assert "lineage.image_repositories: train" in gaps["own"].remedy
    assert "683313688378 was not asked" in gaps["other"].because
    assert "lineage.image_registries: 683313688378" in gaps["other"].remedy


def test_a_job_that_was_deleted_before_it_was_described_counts_and_says_so() -> None:
    desk = Desk()
    born = BEGUN.replace(microsecond=0)
    node = resource_ref(f"{PREFIX}:training-job/gone", NodeKind.TRAINING_JOB, born)
    state = NodeState(node=node, at=NOW, status="Completed", attributes={"event_only": True, "name": "gone"})
    desk.record.store.add(Fact(subject=node, origin=Origin.EVENT, states=(state,)), NOW)

    found = desk.measured()

    assert (found.in_account, found.gone, found.judged, found.complete) == (0, 1, 1, 0)
    assert "deleted before it could be described" in found.incomplete[0].gaps[0].because


def test_a_job_that_is_deleted_after_it_was_recorded_stays_complete() -> None:
    desk = Desk()
    desk.job("a", listed=False)

    found = desk.measured()

    assert (found.in_account, found.gone, found.judged, found.complete) == (0, 1, 1, 1)


def test_what_nobody_recorded_is_incomplete_and_a_sweep_mends_it() -> None:
    desk = Desk()
    desk.job("a", record=False)

    found = desk.measured()

    assert (found.recorded, found.judged, found.complete) == (0, 1, 0)
    assert (found.incomplete[0].gaps[0].need, found.incomplete[0].gaps[0].remedy) == ("record", "hallmark backfill")


def test_a_name_that_is_used_again_is_another_job() -> None:
    desk = Desk()
    arn = desk.job("a")
    desk.account.add(Resource("training-job", arn, Listed(arn, NOW, "Completed", NOW), {}))

    found = desk.measured()

    assert (found.in_account, found.gone, found.recorded, found.complete) == (1, 1, 1, 1)


def test_what_runs_is_not_judged() -> None:
    desk = Desk()
    desk.job("a", status="InProgress")
    desk.job("b", record=False, status="InProgress")

    found = desk.measured()

    assert (found.in_account, found.running, found.judged, found.percent) == (2, 2, 0, None)


def test_a_kind_that_may_not_be_listed_says_so_and_harms_no_other() -> None:
    desk = Desk()
    desk.job("a")

    def refuse(call: str, what: str) -> None:
        if what.startswith("model"):
            raise ListingRefusedError("list_models: AccessDeniedException")

    desk.account.refuse = refuse

    models, jobs = desk.measure("model", "training-job")

    assert (models.whole, jobs.whole, jobs.complete) == (False, True, 1)
    assert "may not be listed: list_models: AccessDeniedException" in models.note


def test_a_listing_that_breaks_off_or_is_too_long_is_told_as_partial() -> None:
    desk = Desk()
    for name in "abcde":
        desk.job(name)

    spent = desk.measured(requests=2)
    desk.account.refuse = lambda _call, what: _fail() if what.endswith("2") else None
    broken = desk.measured()

    assert (spent.whole, spent.in_account, broken.whole, broken.in_account) == (False, 4, False, 2)
    assert "requests were used up" in spent.note
    assert "ThrottlingException" in broken.note


def _fail() -> None:
    raise UnavailableError("ThrottlingException")


def test_only_what_was_made_since_a_time_counts() -> None:
    desk = Desk()
    desk.job("a")

    found = desk.measured(since=BEGUN + timedelta(minutes=1))

    assert (found.in_account, found.gone, found.judged) == (0, 0, 0)


def test_a_long_list_of_what_is_missing_is_cut_and_counted() -> None:
    desk = Desk()
    for number in range(LISTED_INCOMPLETE + 3):
        desk.job(f"job-{number}", record=False)

    found = desk.measured()

    assert (len(found.incomplete), found.incomplete_left_out) == (LISTED_INCOMPLETE, 3)


def test_who_and_why_are_known_by_tags_parents_and_calls() -> None:
    desk = Desk()
    desk.job("tagged", tags=[*TAGS, {"Key": "hallmark:reason", "Value": "drift"}])
    desk.job("called")
    node = resource_ref(f"{PREFIX}:training-job/called", NodeKind.TRAINING_JOB, BEGUN.replace(microsecond=0))
    action = NodeRef(kind=NodeKind.ACTION, id="hallmark:action/cloudtrail-1")
    edge = Edge(source=action, target=node, type=EdgeType.ASSOCIATED_WITH, role="did", valid_from=BEGUN)
    state = NodeState(node=action, at=BEGUN, attributes={"reason": "retrain"})
    desk.record.store.add(Fact(subject=action, origin=Origin.EVENT, states=(state,), edges=(edge,)), NOW)

    found = desk.measured()

    assert found.lacking == {"who": 1}


def test_a_call_that_was_refused_tells_neither_who_nor_why() -> None:
    desk = Desk()
    desk.job("a")
    node = resource_ref(f"{PREFIX}:training-job/a", NodeKind.TRAINING_JOB, BEGUN.replace(microsecond=0))
    action = NodeRef(kind=NodeKind.ACTION, id="hallmark:action/cloudtrail-1")
    edge = Edge(source=action, target=node, type=EdgeType.ASSOCIATED_WITH, role="attempted", valid_from=BEGUN)
    state = NodeState(node=action, at=BEGUN, attributes={"reason": "by mistake"})
    desk.record.store.add(Fact(subject=action, origin=Origin.EVENT, states=(state,), edges=(edge,)), NOW)

    assert desk.measured().lacking == {"reason": 1, "who": 1}


@pytest.mark.parametrize("kind", sorted(NEEDS))
def test_every_kind_with_needs_of_its_own_is_one_that_a_sweep_lists(kind: NodeKind) -> None:
    assert kind.value in SWEPT


def test_a_model_without_a_package_and_an_endpoint_without_its_config_say_so() -> None:
    desk = Desk()
    arn = f"{PREFIX}:model/wine"
    answer = {
        "ModelName": "wine",
        "ModelArn": arn,
        "CreationTime": BEGUN,
        "PrimaryContainer": {"Image": TRAINING["AlgorithmSpecification"]["TrainingImage"]},
    }
    record_description("model", arn, answer, desk.record.surroundings)
    desk.account.add(Resource("model", arn, Listed(arn, BEGUN), {}))

    (found,) = desk.measure("model")

    assert found.lacking == {"package": 1, "reason": 1, "who": 1}


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_recording_does_not_matter(order: list[str]) -> None:
    desk = Desk()
    for name in order:
        desk.job(name, tags=TAGS if name in "ab" else ())

    found = desk.measured()

    assert {each.name for each in found.incomplete} == {"c", "d"}


# --- inputs that match nothing ---


def unmatched(desk: Desk, *known: str, since: datetime | None = None) -> list[tuple[str, int, str]]:
    found = find_unmatched(desk.graph, desk.record.store, since, known)
    assert found.total == len(found.inputs)
    return [(each.dataset, each.readers, each.because) for each in found.inputs]


def test_an_input_that_no_run_wrote_and_nobody_has_seen_matches_nothing() -> None:
    desk = Desk()
    refused(desk, "s3://bucket/extra", "AccessDenied: no")
    desk.job("a")
    desk.job("b")

    assert unmatched(desk) == [("s3://bucket/extra", 2, "AccessDenied: no")]
    assert unmatched(desk, "s3://bucket/") == []
    assert unmatched(desk, since=NOW) == []


def test_an_input_whose_content_was_seen_matches() -> None:
    desk = Desk()
    desk.job("a")

    assert unmatched(desk) == []


@pytest.mark.parametrize("written", ["s3://bucket/extra", "s3://bucket"])
def test_an_input_that_a_run_wrote_or_that_lies_in_what_a_run_wrote_matches(written: str) -> None:
    desk = Desk()
    refused(desk, "s3://bucket/extra", "AccessDenied: no")
    desk.job("a")
    run = NodeRef(kind=NodeKind.RUN, id="spark:etl/1")
    place = NodeRef(kind=NodeKind.DATASET, id=written)
    edge = Edge(source=run, target=place, type=EdgeType.PRODUCED, valid_from=BEGUN)
    state = NodeState(node=run, at=BEGUN, status="Completed")
    desk.record.store.add(Fact(subject=run, origin=Origin.EVENT, states=(state,), edges=(edge,)), NOW)

    assert unmatched(desk) == []


def test_a_name_of_another_tool_that_matches_nothing_is_listed_with_what_to_do() -> None:
    desk = Desk()
    run = NodeRef(kind=NodeKind.RUN, id="spark:etl/1")
    place = NodeRef(kind=NodeKind.DATASET, id="hdfs://cluster/raw/wine")
    edge = Edge(source=place, target=run, type=EdgeType.CONTRIBUTED_TO, valid_from=BEGUN)
    state = NodeState(node=run, at=BEGUN, status="Completed")
    desk.record.store.add(Fact(subject=run, origin=Origin.EVENT, states=(state,), edges=(edge,)), NOW)

    (found,) = find_unmatched(desk.graph, desk.record.store, None, ()).inputs

    assert (found.dataset, "lineage.aliases" in found.remedy) == ("hdfs://cluster/raw/wine", True)


@pytest.mark.parametrize(
    ("raw", "field"),
    [({"ask": "never"}, "ask"), ({"kinds": ["job-of-mine"]}, "kinds"), ({"seconds": 0}, "seconds"), ({"x": 1}, "x")],
)
def test_a_question_that_is_none_names_its_fault(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as fault:
        read_coverage_question(raw)

    assert fault.value.field == field
