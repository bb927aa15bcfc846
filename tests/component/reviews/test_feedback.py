"""Feedback finds the model that answered, whenever its log comes, and becomes cases that evaluations can read."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

import pytest

from hallmark.aws.production_files import ProductionFiles, S3Answers
from hallmark.aws.review_files import ReviewFiles
from hallmark.aws.reviewed_outputs import S3Outputs
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.evaluation.cases import Case
from hallmark.events.reviews import FEEDBACK_EXPORTED, FEEDBACK_RECEIVED
from hallmark.lineage.translation.records import draft_record
from hallmark.reviews.feedback import FeedbackStatus, read_feedback
from hallmark.reviews.learning import Joined, Learning
from hallmark.reviews.ports import Wanted
from hallmark.reviews.receiving import ExportWish, answer_request, read_body
from tests.component.reviews.conftest import (
    BUCKET,
    LOGS,
    NOON,
    PLACE,
    POLICY,
    VADER,
    VADER_ARN,
    Clock,
    RememberingBus,
)


def put_log(s3: Any, at: datetime, *records: dict[str, Any], name: str = "a") -> None:
    folder = f"AWSLogs/{PLACE.account}/BedrockModelInvocationLogs/{PLACE.region}/{at:%Y/%m/%d/%H}"
    content = gzip.compress("\n".join(map(json.dumps, records)).encode())
    s3.put_object(Bucket=LOGS, Key=f"{folder}/{name}.json.gz", Body=content)


def logged(request_id: str, at: datetime = NOON, **metadata: str) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": at.isoformat(),
        "requestId": request_id,
        "operation": "Converse",
        "modelId": VADER,
        "requestMetadata": metadata,
        "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": f"ask {request_id}"}]}]}},
        "output": {
            "outputBodyJson": {"output": {"message": {"role": "assistant", "content": [{"text": "positive"}]}}},
        },
    }


def captured(event_id: str, at: datetime = NOON, **about: str) -> str:
    data = {
        "endpointInput": {"mode": "INPUT", "data": "1,2,3", "encoding": "CSV"},
        "endpointOutput": {"mode": "OUTPUT", "data": b64encode(b"0.9").decode(), "encoding": "BASE64"},
    }
    return json.dumps(
        {"captureData": data, "eventMetadata": {"eventId": event_id, "inferenceTime": at.isoformat(), **about}}
    )


@pytest.fixture
def files(s3: Any) -> ProductionFiles:
    return ProductionFiles(s3, PLACE)


def join(learning: Learning, files: ProductionFiles, s3: Any) -> Joined:
    return learning.join(S3Answers(files, learning.policy, PLACE, learning.now()), ReviewFiles(BUCKET, s3))


def give(learning: Learning, request_id: str, **said: Any) -> str:
    return learning.receive(read_feedback({"request_id": request_id, **said}))[0].id


def test_feedback_that_came_before_its_log_is_joined_when_the_log_comes(
    learning: Learning, files: ProductionFiles, s3: Any, bus: RememberingBus, clock: Clock
) -> None:
    give(learning, "q-1", score=0, correct="negative", comment="ironic")
    assert join(learning, files, s3) == Joined(0, 0, 1)
    clock.advance(minutes=30)
    put_log(s3, NOON, logged("q-0"), logged("q-1", group="fr"))

    assert join(learning, files, s3) == Joined(1, 0, 0)
    assert join(learning, files, s3) == Joined(0, 0, 0)

    (kept,) = learning.store.of_request("q-1")
    assert kept.found is not None
    assert (kept.status, kept.found.subject, kept.found.group) == (FeedbackStatus.JOINED, VADER_ARN, "fr")
    assert (kept.found.prompt, kept.found.answer) == ("ask q-1", "positive")
    assert [event.model for event in bus.of(FEEDBACK_RECEIVED)] == ["", VADER_ARN]
    assert "ironic" not in str(bus.published)
    assert "negative" not in str(bus.published)


def test_scores_that_were_joined_are_rows_for_whoever_computes_with_them(
    learning: Learning, files: ProductionFiles, s3: Any
) -> None:
    give(learning, "q-1", score=1, by="user-7")
    put_log(s3, NOON, logged("q-1"))
    join(learning, files, s3)

    (key,) = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="feedback/2026/11/20/12/")["Contents"]]
    row = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert (row["subject"], row["score"], row["at"]) == (VADER_ARN, 1.0, NOON.isoformat())
    assert "user-7" not in str(row)


def test_feedback_on_an_endpoint_is_found_by_the_callers_id_and_by_the_captures_own(
    learning: Learning, files: ProductionFiles, s3: Any
) -> None:
    lines = "\n".join([captured("e-1"), captured("e-2", inferenceId="mine-2"), '{"half a li'])
    s3.put_object(Bucket=LOGS, Key="captures/live/AllTraffic/2026/11/20/12/x.jsonl", Body=lines.encode())
    give(learning, "e-1", score=1)
    give(learning, "mine-2", label="cat-b")

    assert join(learning, files, s3).found == 2
    (kept,) = learning.store.of_request("mine-2")
    assert kept.found is not None
    assert (kept.found.subject, kept.found.prompt, kept.found.answer) == (PLACE.endpoint_arn("live"), "1,2,3", "0.9")


def test_what_is_never_found_is_given_up_and_counted(
    learning: Learning, files: ProductionFiles, s3: Any, clock: Clock
) -> None:
    give(learning, "q-9", score=1)
    clock.advance(days=2)
    assert join(learning, files, s3).waiting == 1
    clock.advance(days=2)

    assert join(learning, files, s3) == Joined(0, 1, 0)
    assert learning.store.counts()["lost"] == 1


def test_what_was_looked_through_is_not_read_again_and_what_came_since_is(
    learning: Learning, files: ProductionFiles, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    text = ProductionFiles.text

    def counted(self: ProductionFiles, file: Any) -> str:
        read.append(file.key)
        return text(self, file)

    monkeypatch.setattr(ProductionFiles, "text", counted)
    put_log(s3, NOON, logged("q-0"))
    finder = S3Answers(files, learning.policy, PLACE, NOON)
    after_delivery = datetime.now(NOON.tzinfo) + timedelta(hours=1)

    for looked_at, files_read in ((None, 1), (after_delivery, 1), (after_delivery - timedelta(hours=2), 2)):
        finder.find({"q-1": Wanted(NOON, looked_at)})
        assert len(read) == files_read


def test_whoever_waits_remembers_when_it_was_looked_for(
    learning: Learning, files: ProductionFiles, s3: Any, clock: Clock
) -> None:
    give(learning, "q-1", score=1)
    clock.advance(minutes=5)
    join(learning, files, s3)

    assert [each.looked_at for each in learning.store.waiting(10)] == [NOON + timedelta(minutes=5)]


def test_the_same_feedback_again_is_the_same_feedback(learning: Learning, bus: RememberingBus) -> None:
    said = {"request_id": "q-1", "score": 0.5, "by": "user-1"}
    first, again = learning.receive(read_feedback(said)), learning.receive(read_feedback(said))
    other = learning.receive(read_feedback({**said, "score": 0.6}))

    assert (first[1], again[1], other[1]) == (True, False, True)
    assert first[0].id == again[0].id
    assert len(learning.store.of_request("q-1")) == 2
    assert {event.feedback for event in bus.of(FEEDBACK_RECEIVED)} == {first[0].id, other[0].id}


def test_whoever_names_the_model_needs_no_log(learning: Learning, files: ProductionFiles, s3: Any) -> None:
    give(learning, "mine", correct="yes", model=VADER, prompt="is it?")

    assert join(learning, files, s3).found == 1
    assert learning.store.counts()["usable"] == 1


@pytest.mark.parametrize(
    ("said", "field", "remedy"),
    [
        ({"score": 1}, "request_id", "requestId"),
        ({"request_id": "q"}, "the feedback", "give a score"),
        ({"request_id": "q", "score": 7}, "score", "less than or equal to 1"),
        ({"request_id": "q", "score": 1, "rating": 5}, "rating", "no such field"),
        ({"request_id": "", "score": 1}, "request_id", "at least 1"),
        (["q"], "the feedback", "JSON object"),
    ],
)
def test_feedback_that_says_nothing_is_refused_with_field_and_remedy(said: Any, field: str, remedy: str) -> None:
    with pytest.raises(InvalidInputError, match=remedy) as error:
        read_feedback(said)

    assert error.value.field == field


def http(body: str, **more: Any) -> dict[str, Any]:
    arn = "arn:aws:sts::111122223333:assumed-role/App/web"
    return {"requestContext": {"authorizer": {"iam": {"userArn": arn}}}, "body": body, **more}


def test_over_http_feedback_is_accepted_in_the_callers_name_and_bad_feedback_is_told_why(learning: Learning) -> None:
    def receive(document: Any, by: str) -> dict[str, Any]:
        feedback, is_new = learning.receive(read_feedback(document, by))
        return {"feedback": feedback.id, "new": is_new, "by": feedback.given.by}

    body = json.dumps({"request_id": "q-1", "score": 1, "by": "user-7"})
    accepted = answer_request(http(body), receive)
    encoded = answer_request(http(b64encode(body.encode()).decode(), isBase64Encoded=True), receive)
    refused = answer_request(http('{"request_id": "q-1", "score": 9}'), receive)
    garbled = answer_request(http("not JSON"), receive)

    assert (accepted["statusCode"], encoded["statusCode"]) == (202, 202)
    assert json.loads(accepted["body"])["by"] == "arn:aws:sts::111122223333:assumed-role/App/web for user-7"
    assert json.loads(encoded["body"])["new"] is False
    assert (refused["statusCode"], json.loads(refused["body"])["field"]) == (400, "score")
    assert (garbled["statusCode"], json.loads(garbled["body"])["field"]) == (400, "the body")


def test_over_http_a_fault_of_ours_asks_to_come_again_and_nobody_is_refused() -> None:
    def fail(_document: Any, _by: str) -> dict[str, Any]:
        raise UnavailableError("writing the table of reviews: ThrottlingException")

    assert answer_request(http("{}"), fail)["statusCode"] == 503
    assert answer_request({"requestContext": {"authorizer": {}}, "body": "{}"}, fail)["statusCode"] == 403


def test_corrections_become_cases_that_evaluations_read_and_lineage_leads_from_model_to_dataset(
    learning: Learning, files: ProductionFiles, s3: Any, bus: RememberingBus
) -> None:
    put_log(s3, NOON, *(logged(f"q-{number}", group="short") for number in range(4)))
    give(learning, "q-0", correct="negative", by="user-1")
    give(learning, "q-1", label="neutral", by="user-1")
    give(learning, "q-1", label="neutral", by="user-2")
    give(learning, "q-1", label="negative", by="user-3")
    give(learning, "q-2", score=0, comment="bad")
    join(learning, files, s3)

    writer = ReviewFiles(BUCKET, s3)
    assert learning.export(writer) == []
    (made,) = learning.export(writer, min_cases=2)
    assert learning.export(writer, min_cases=1) == []

    key = made.dataset.removeprefix(f"s3://{BUCKET}/")
    lines = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
    cases = {case.prompt: case for case in map(Case.model_validate_json, lines)}
    assert set(cases) == {"ask q-0", "ask q-1"}
    assert (cases["ask q-0"].expected, cases["ask q-0"].weight, cases["ask q-0"].group) == (("negative",), 1.0, "short")
    assert (cases["ask q-1"].expected, cases["ask q-1"].weight) == (("neutral", "negative"), 3.0)
    (exported,) = bus.of(FEEDBACK_EXPORTED)
    assert exported.dataset == made.dataset
    draft = draft_record(json.loads(exported.model_dump_json(by_alias=True)))
    assert draft.subject.kind == "feedback"
    assert [use.uri for use in draft.data if use.produced] == [made.dataset]
    assert learning.store.counts() == {"waiting": 0, "usable": 0, "scored": 1, "exported": 4, "lost": 0}


def test_the_last_word_of_a_person_counts(learning: Learning, files: ProductionFiles, s3: Any, clock: Clock) -> None:
    put_log(s3, NOON, logged("q-0"))
    give(learning, "q-0", label="neutral", by="user-1")
    clock.advance(minutes=1)
    give(learning, "q-0", label="negative", by="user-1")
    join(learning, files, s3)

    (made,) = learning.export(ReviewFiles(BUCKET, s3), min_cases=1)
    body = s3.get_object(Bucket=BUCKET, Key=made.dataset.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    assert json.loads(body)["expected"] == ["negative"]


def test_an_export_that_was_interrupted_is_made_again_the_same_and_once(
    learning: Learning, files: ProductionFiles, s3: Any, bus: RememberingBus
) -> None:
    put_log(s3, NOON, logged("q-0"), logged("q-1"))
    give(learning, "q-0", label="neutral")
    join(learning, files, s3)
    bus.failures = 1
    with pytest.raises(UnavailableError):
        learning.export(ReviewFiles(BUCKET, s3), min_cases=1)
    give(learning, "q-1", label="neutral")
    join(learning, files, s3)

    finished, made = learning.export(ReviewFiles(BUCKET, s3), min_cases=1)

    assert (finished.cases, made.cases) == (1, 1)
    assert finished.dataset != made.dataset
    objects = s3.list_objects_v2(Bucket=BUCKET, Prefix="datasets/feedback/")["Contents"]
    assert len(objects) == 2
    assert len({event.dataset for event in bus.of(FEEDBACK_EXPORTED)}) == 2


def test_an_export_of_a_model_without_corrections_is_refused(learning: Learning, s3: Any) -> None:
    with pytest.raises(InvalidInputError, match="feedback status"):
        learning.export(ReviewFiles(BUCKET, s3), model="other")
    with pytest.raises(InvalidInputError) as error:
        ExportWish.read({"min_cases": 0})
    assert error.value.field == "min_cases"


def test_a_message_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="send JSON"):
        read_body("{")


def test_reviews_read_the_logs_of_their_window_and_model_only(files: ProductionFiles, s3: Any) -> None:
    late = logged("late", NOON + timedelta(hours=1))
    put_log(s3, NOON, logged("in"), {**logged("other"), "modelId": "another.model-v1"}, name="a")
    put_log(s3, NOON + timedelta(hours=1), late, logged("in-too", NOON + timedelta(minutes=59)), name="b")
    put_log(s3, NOON - timedelta(days=3), logged("old", NOON - timedelta(days=3)))
    reader = S3Outputs(files, s3, None, "query", BUCKET)

    _, outputs = reader.read(POLICY.programs["tweets"].source, NOON, NOON + timedelta(hours=1))

    assert [each.id for each in outputs] == ["in", "in-too"]


def test_a_bucket_that_is_not_there_is_named_with_the_remedy(files: ProductionFiles) -> None:
    with pytest.raises(InvalidInputError, match="data_keys") as error:
        list(files.logs("s3://no-such-bucket/logs", NOON, NOON))

    assert error.value.field == "location"
