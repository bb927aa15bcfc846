"""From a sample to an event, on the table that the stack makes: every step may come again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError
from hallmark.events.drift import MonitorReported, WindowTold
from hallmark.events.records import LineageNode, LineageSection
from hallmark.events.reviews import REVIEW_COMPLETED, REVIEW_NOTED, REVIEW_REQUESTED, REVIEW_SCORE_LOW
from hallmark.lineage.translation.records import draft_record
from hallmark.reviews.outputs import Drawn, Output
from hallmark.reviews.requests import grant, wishes_of
from hallmark.reviews.reviewing import Reviewing
from hallmark.reviews.tasks import Review, ReviewStatus, draw_digest, make_tasks
from tests.component.reviews.conftest import (
    BUCKET,
    NOON,
    PLACE,
    POLICY,
    VADER,
    VADER_ARN,
    Clock,
    GivenOutputs,
    RememberingBus,
)

R1, R2, R3 = (f"arn:aws:iam::111122223333:user/rater-{number}" for number in (1, 2, 3))
R1_SIGNED_ON = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Raters_0123/rater-1"
OUTPUTS = [
    Output(id=f"r{number}", model=VADER, prompt=f"text {number}", answer="positive", request_id=f"r{number}", at=NOON)
    for number in range(20)
]


@pytest.fixture
def review(reviewing: Reviewing) -> Review:
    return reviewing.request("tweets", "monday", GivenOutputs(OUTPUTS))


def rate_all(reviewing: Reviewing, review: Review, score: str = "up") -> None:
    for person in (R1, R2, R3):
        while (found := reviewing.next_task(person, review.name)) is not None:
            reviewing.rate(review.name, found[1].id, person, score)


def test_a_review_is_asked_for_once_however_often_its_message_comes(
    reviewing: Reviewing, review: Review, bus: RememberingBus
) -> None:
    again = reviewing.request("tweets", "monday", GivenOutputs(OUTPUTS[:5]))
    other = reviewing.request("tweets", "tuesday", GivenOutputs(OUTPUTS))

    assert again == review
    assert other.name != review.name
    assert (review.tasks, review.population, review.subject) == (4, 20, VADER_ARN)
    assert len(reviewing.store.tasks(review)) == 4
    assert {event.review for event in bus.of(REVIEW_REQUESTED)} == {review.node, other.node}


def test_of_two_samples_that_are_drawn_at_the_same_time_one_counts_whole(reviewing: Reviewing, review: Review) -> None:
    other = [Drawn(output, "", 1.0) for output in OUTPUTS[:3]]
    tasks = make_tasks(other, review.settings)
    late = review.model_copy(update={"tasks": len(tasks), "draw": draw_digest(tasks)})

    assert reviewing.store.add_review(late, tasks) is False
    assert reviewing.store.find_review(review.name).review == review
    assert len(reviewing.store.tasks(review)) == review.tasks


def test_a_review_that_could_not_be_told_of_is_told_of_when_the_message_comes_again(
    reviewing: Reviewing, bus: RememberingBus
) -> None:
    bus.failures = 1
    with pytest.raises(UnavailableError):
        reviewing.request("tweets", "monday", GivenOutputs(OUTPUTS))

    reviewing.request("tweets", "monday", GivenOutputs([]))

    assert len(bus.of(REVIEW_REQUESTED)) == 1


def test_nothing_to_review_is_refused_with_the_place_and_the_window(reviewing: Reviewing) -> None:
    with pytest.raises(InvalidInputError, match="nothing was answered from 2026-11-13 12:00") as error:
        reviewing.request("tweets", "monday", GivenOutputs([]))

    assert error.value.value == "s3://logs-bucket/"


def test_each_person_is_shown_what_is_theirs_and_each_output_gets_its_raters(
    reviewing: Reviewing, review: Review
) -> None:
    rate_all(reviewing, review)

    scores = reviewing.store.scores(review.name)
    assert len(scores) == 8
    assert len({(score.task, score.by) for score in scores}) == 8
    assert reviewing.next_task(R1) is None
    assert reviewing.next_task("a stranger", review.name) is None


def test_the_last_score_ends_the_review_and_says_so_with_its_lineage(
    reviewing: Reviewing, review: Review, bus: RememberingBus, clock: Clock, s3: Any
) -> None:
    clock.advance(hours=1)
    rate_all(reviewing, review)
    (completed,) = bus.of(REVIEW_COMPLETED)

    assert reviewing.store.find_review(review.name).status is ReviewStatus.COMPLETED
    assert (completed.mean, completed.scores, completed.tasks, completed.judgement) == (1.0, 8, 4, "uncertain")
    assert completed.completed_at == NOON + timedelta(hours=1)
    assert bus.of(REVIEW_SCORE_LOW) == []
    draft = draft_record(json.loads(completed.model_dump_json(by_alias=True)))
    assert (draft.subject.kind, draft.subject.id) == ("review", review.node)
    key = completed.scores_uri.removeprefix(f"s3://{BUCKET}/")
    rows = [json.loads(line) for line in s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().splitlines()]
    assert {row["score"] for row in rows} == {1.0}
    assert {row["request_id"] for row in rows} <= {output.id for output in OUTPUTS}
    assert "rater" not in json.dumps(rows)


def test_a_low_mean_is_told_with_its_bounds(reviewing: Reviewing, review: Review, bus: RememberingBus) -> None:
    rate_all(reviewing, review, "down")
    (low,) = bus.of(REVIEW_SCORE_LOW)

    assert low.mean == 0.0
    assert low.high < low.threshold == 0.85
    assert low.owners == ["ml-platform"]


def test_nobody_rates_twice_but_a_score_may_be_changed_and_the_first_one_is_kept(
    reviewing: Reviewing, review: Review
) -> None:
    found = reviewing.next_task(R1, review.name)
    assert found is not None
    task = found[1].id
    reviewing.rate(review.name, task, R1, "down", note="wrong language")

    with pytest.raises(InvalidInputError, match="--change"):
        reviewing.rate(review.name, task, R1, "up")
    with pytest.raises(InvalidInputError, match="--change"):
        reviewing.rate(
            review.name, task, "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Raters_0123/rater-1", "up"
        )
    reviewing.rate(review.name, task, R1, "up", change=True)

    kept = [(score.revision, score.value, score.note) for score in reviewing.store.scores(review.name)]
    assert kept == [(0, 0.0, "wrong language"), (1, 1.0, "")]


@pytest.mark.parametrize(
    ("task", "person", "score", "remedy"),
    [
        ("0001", "a stranger", "up", "review next"),
        ("0001", "", "up", "credentials"),
        ("0001", R1, "0.4", "up or down"),
    ],
)
def test_what_cannot_be_a_score_is_refused_with_the_remedy(
    reviewing: Reviewing, review: Review, task: str, person: str, score: str, remedy: str
) -> None:
    with pytest.raises(InvalidInputError, match=remedy):
        reviewing.rate(review.name, task, person, score)


def test_an_unknown_task_and_an_unknown_review_are_said_to_be_unknown(reviewing: Reviewing, review: Review) -> None:
    with pytest.raises(NotFoundError, match="9999"):
        reviewing.rate(review.name, "9999", R1, "up")
    with pytest.raises(NotFoundError, match="review list"):
        reviewing.rate("no-such-review", "0001", R1, "up")


def test_a_review_expires_with_the_scores_that_it_has(
    reviewing: Reviewing, review: Review, bus: RememberingBus, clock: Clock
) -> None:
    found = reviewing.next_task(R2, review.name)
    assert found is not None
    reviewing.rate(review.name, found[1].id, R2, "up")
    assert reviewing.end_due() == []
    clock.advance(days=5)

    (ended,) = reviewing.end_due()

    assert (ended.status, ended.ended_at) == (ReviewStatus.EXPIRED, review.expires_at)
    assert [event.status for event in bus.of(REVIEW_COMPLETED)] == ["expired"]
    assert reviewing.end_due() == []
    with pytest.raises(InvalidInputError, match="expired"):
        reviewing.rate(review.name, "0001", R1, "up")


def test_a_review_without_any_score_expires_as_unrated(
    reviewing: Reviewing, review: Review, bus: RememberingBus, clock: Clock
) -> None:
    clock.advance(days=6)
    reviewing.end_due()
    (completed,) = bus.of(REVIEW_COMPLETED)

    assert (completed.mean, completed.judgement, completed.scores) == (None, "unrated", 0)


def test_an_end_that_could_not_be_told_is_told_later_the_same(
    reviewing: Reviewing, review: Review, bus: RememberingBus, clock: Clock
) -> None:
    bus.failures = 1
    with pytest.raises(UnavailableError):
        rate_all(reviewing, review, "down")
    clock.advance(hours=3)

    reviewing.end_due()
    reviewing.end_due()

    (completed,) = bus.of(REVIEW_COMPLETED)
    assert completed.completed_at == NOON
    assert len(bus.of(REVIEW_SCORE_LOW)) == 1


def test_someone_may_close_a_review_once(reviewing: Reviewing, review: Review, bus: RememberingBus) -> None:
    reviewing.close(review.name)

    assert [event.status for event in bus.of(REVIEW_COMPLETED)] == ["closed"]
    with pytest.raises(InvalidInputError, match="closed already"):
        reviewing.close(review.name)


def drift_report(subject: str, *actions: str) -> dict[str, Any]:
    report = MonitorReported(
        report="hallmark:drift-report/m-1",
        monitor="m",
        subject=subject,
        subject_name="live",
        window=WindowTold(start=NOON - timedelta(hours=1), end=NOON, values=100),
        baseline="hallmark:baseline/m-1",
        findings=[],
        report_uri="s3://drift/report.json",
        detected_at=NOON,
        actions=list(actions),
        summary="drifted",
        lineage=LineageSection(node=LineageNode(kind="drift-report", id="hallmark:drift-report/m-1"), at=NOON),
    )
    return {"detail-type": "DriftDetected", "detail": json.loads(report.model_dump_json(by_alias=True))}


def test_a_drift_report_has_its_own_window_reviewed_and_stands_before_the_review_in_lineage(
    reviewing: Reviewing, bus: RememberingBus
) -> None:
    outputs = GivenOutputs([each.model_copy(update={"model": "Live"}) for each in OUTPUTS])
    event = drift_report(PLACE.endpoint_arn("live"), "alert", "review")
    (wish,) = wishes_of(event, reviewing)
    review = grant(wish, reviewing, outputs)
    assert grant(wish, reviewing, outputs) == review
    reviewing.close(review.name)

    (completed,) = bus.of(REVIEW_COMPLETED)
    assert outputs.asked == [(POLICY.programs["anybody"].source, NOON - timedelta(hours=1), NOON)]
    assert {(flow.node.kind, flow.role) for flow in completed.lineage.flows} == {
        ("endpoint", "reviewed"),
        ("drift-report", "asked for"),
    }


def test_a_drift_report_that_asks_for_no_review_starts_none_and_one_of_an_unknown_subject_is_refused(
    reviewing: Reviewing,
) -> None:
    assert wishes_of(drift_report(VADER_ARN, "alert"), reviewing) == []
    with pytest.raises(InvalidInputError, match="add a program") as error:
        wishes_of(drift_report("arn:aws:sagemaker:us-east-1:111122223333:endpoint/other", "review"), reviewing)

    assert error.value.field == "detail.subject"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("text", "the message"),
        ({"program": "nope", "key": "k"}, "program"),
        ({"program": "tweets"}, "key"),
        ({"detail-type": "DriftDetected", "detail": {}}, "detail.lineage"),
    ],
)
def test_a_message_that_asks_for_nothing_known_is_refused(reviewing: Reviewing, message: Any, field: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        wishes_of(message, reviewing)

    assert error.value.field == field


def test_a_note_on_any_node_is_a_fact_beside_it(reviewing: Reviewing, bus: RememberingBus) -> None:
    node = LineageNode(kind="endpoint", id=PLACE.endpoint_arn("live"))
    reviewing.write_note(node, "answers in French since noon", R1)
    (noted,) = bus.of(REVIEW_NOTED)
    draft = draft_record(json.loads(noted.model_dump_json(by_alias=True)))

    assert draft.subject.id == noted.note
    assert noted.lineage.attributes["text"] == "answers in French since noon"
    with pytest.raises(InvalidInputError):
        reviewing.write_note(node, "  ", R1)
