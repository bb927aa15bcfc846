"""People rate what models answered, and production's feedback becomes cases: deployed, with IAM enforced."""

from __future__ import annotations

import gzip
import json
import uuid
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from hallmark.aws.caller_proof import prove_caller
from local.bedrock.published_corpora import SENTIMENT_PROMPT, RatedText, rated_texts
from tests.e2e.conftest import TWEETS, VADER
from tests.e2e.evaluations import Evaluations

pytestmark = pytest.mark.e2e

TEXTS = {SENTIMENT_PROMPT.format(text=text.text): text for text in rated_texts("tweets")[:TWEETS]}
RATERS = ("rater-1", "rater-2", "rater-3")


def reviews(deployed: Any, ask: str, **question: Any) -> dict[str, Any]:
    answer: dict[str, Any] = deployed.call("QueryReviewsFunctionName", {"ask": ask, **question})
    return answer


class Raters:
    """Users of the account who sign what they ask."""

    def __init__(self, deployed: Any) -> None:
        self._deployed = deployed
        iam, cloud = deployed.client("iam"), deployed.cloud
        self._clients: dict[str, tuple[Any, Any]] = {}
        for name in RATERS:
            iam.create_user(UserName=name)
            allowed = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
            iam.put_user_policy(UserName=name, PolicyName="feedback", PolicyDocument=document)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            session = botocore.session.get_session()
            session.set_credentials(key["AccessKeyId"], key["SecretAccessKey"])
            sts = session.create_client("sts", region_name=cloud.region, endpoint_url=cloud.endpoint)
            self._clients[name] = (sts, session.get_credentials())

    def credentials(self, name: str) -> Any:
        """Return the keys of one of them."""
        return self._clients[name][1]

    def ask(self, name: str, ask: str, **question: Any) -> dict[str, Any]:
        """Ask the deployed query function as one of them."""
        message = {"ask": ask, **question}
        proof = prove_caller(message, *self._clients[name])
        answer: dict[str, Any] = self._deployed.call("QueryReviewsFunctionName", {"message": message, "proof": proof})
        return answer


@pytest.fixture(scope="module")
def raters(deployed: Any) -> Raters:
    return Raters(deployed)


def asked_for(deployed: Any, name: str) -> dict[str, Any]:
    """Return a review as soon as its tasks wait."""

    def look() -> dict[str, Any] | None:
        found = [each for each in reviews(deployed, "list", limit=100)["reviews"] if each["review"].startswith(name)]
        return found[0] if found else None

    review: dict[str, Any] = deployed.eventually(look)
    return review


def node(deployed: Any, identifier: str) -> dict[str, Any]:
    """Return a node of lineage as soon as it is recorded."""

    def look() -> dict[str, Any] | None:
        shown: dict[str, Any] = deployed.ask("show", node=identifier)
        return shown if shown["answer"] == "show" else None

    shown: dict[str, Any] = deployed.eventually(look)
    return shown


def opinion(text: RatedText, rater: str) -> str:
    """Return what one of the corpus's real raters says of the sign of a text."""
    rating = text.ratings[RATERS.index(rater)]
    return "neutral" if rating == 0 else "positive" if rating > 0 else "negative"


@pytest.fixture(scope="module")
def rated(deployed: Any, shared: Evaluations, raters: Raters) -> dict[str, Any]:
    """Return a review of a suite's newest run that real raters have rated to its end."""
    shared.faults.clear()
    shared.completed(shared.start("sentiment"))
    started = raters.ask("rater-1", "start", program="tweets", request_id=str(uuid.uuid4()))
    review = asked_for(deployed, started["review"])
    for rater in RATERS:
        while True:
            found = raters.ask(rater, "next", review=review["review"])
            task = found.get("task")
            if task is None:
                break
            is_right = opinion(TEXTS[task["prompt"]], rater) == task["answer"].strip().lower()
            score = "up" if is_right else "down"
            raters.ask(rater, "score", review=review["review"], task=task["id"], score=score)
    return reviews(deployed, "show", review=review["review"])


def test_real_raters_rate_a_sample_of_a_suites_answers_to_its_end(rated: dict[str, Any]) -> None:
    assert (rated["status"], rated["tasks"], rated["population"]) == ("completed", 12, TWEETS)
    assert all(len(task["scores"]) == 2 for task in rated["tasks_listed"])
    assert 0 < rated["outcome"]["low"] < rated["outcome"]["mean"] < rated["outcome"]["high"] < 1
    assert rated["outcome"]["scores"] == 24
    assert rated["outcome"]["agreement"]["outputs"] == 12


def test_the_review_is_a_node_between_the_model_and_whoever_asks_what_people_said(
    deployed: Any, rated: dict[str, Any]
) -> None:
    shown = node(deployed, f"hallmark:review/{rated['review']}")

    assert shown["node"]["kind"] == "review"
    assert shown["attributes"]["mean"] == pytest.approx(rated["outcome"]["mean"])
    assert any(VADER in edge["source"] for edge in shown["upstream"])


def test_the_scores_are_rows_in_the_bucket(deployed: Any, rated: dict[str, Any]) -> None:
    shown = node(deployed, f"hallmark:review/{rated['review']}")
    bucket, _, key = shown["attributes"]["scores_uri"].removeprefix("s3://").partition("/")
    rows = deployed.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()

    assert len(rows) == 24
    assert {json.loads(row)["review"] for row in rows} == {rated["review"]}


def test_a_score_of_a_review_that_has_ended_and_one_in_nobodys_name_are_refused_with_the_reason(
    deployed: Any, raters: Raters, rated: dict[str, Any]
) -> None:
    score = {"review": rated["review"], "task": "0001", "score": "up"}
    with pytest.raises(AssertionError, match="it is completed: scores are no longer taken"):
        raters.ask("rater-1", "score", **score)
    with pytest.raises(AssertionError, match="sign the question"):
        reviews(deployed, "score", **score)


def post(deployed: Any, body: dict[str, Any], credentials: Any | None) -> tuple[int, dict[str, Any]]:
    """Send feedback to the HTTP API, signed where there are credentials; return status and answer."""
    url = urlsplit(deployed.outputs["ApiUrl"])
    request = AWSRequest("POST", f"{deployed.outputs['ApiUrl']}/feedback", data=json.dumps(body).encode())
    request.headers["Content-Type"] = "application/json"
    if credentials is not None:
        SigV4Auth(credentials, "execute-api", deployed.cloud.region).add_auth(request)
    # The name of the API means nothing here: the port of the local cloud tells APIs apart by the header.
    local = urlsplit(deployed.cloud.endpoint)
    connection = HTTPConnection(local.hostname or "", local.port or 80, timeout=30)
    headers = {**dict(request.headers.items()), "Host": url.netloc}
    connection.request("POST", "/feedback", body=json.dumps(body), headers=headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or b"{}")


def test_feedback_over_http_is_in_the_name_of_who_signed_it(deployed: Any, raters: Raters) -> None:
    credentials = raters.credentials("rater-2")
    request_id = f"http-{uuid.uuid4().hex[:8]}"

    status, answer = post(deployed, {"request_id": request_id, "score": 1, "by": "user-7"}, credentials)
    assert (status, answer.get("new")) == (202, True), answer
    kept = reviews(deployed, "feedback", request_id=request_id)["feedback"]
    assert kept[0]["given"]["by"].endswith(":user/rater-2 for user-7")
    assert post(deployed, {"request_id": request_id, "score": 9}, credentials)[0] == 400
    assert post(deployed, {"request_id": request_id, "score": 1}, None)[0] == 403


class Production:
    """Calls of a model, and the log of them as Bedrock would write it."""

    def __init__(self, deployed: Any, bucket: str) -> None:
        self._deployed = deployed
        self._bucket = bucket
        self.records: list[dict[str, Any]] = []

    def ask(self, text: RatedText) -> str:
        messages = [{"role": "user", "content": [{"text": SENTIMENT_PROMPT.format(text=text.text)}]}]
        answer = self._deployed.client("bedrock-runtime").converse(modelId=VADER, messages=messages)
        request_id = str(answer["ResponseMetadata"]["RequestId"])
        body = {"output": answer["output"], "stopReason": answer["stopReason"], "usage": answer["usage"]}
        self.records.append(
            {
                "schemaType": "ModelInvocationLog",
                "schemaVersion": "1.0",
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "accountId": self._deployed.cloud.account,
                "region": self._deployed.cloud.region,
                "requestId": request_id,
                "operation": "Converse",
                "modelId": VADER,
                "requestMetadata": {"group": "tweets"},
                "input": {"inputContentType": "application/json", "inputBodyJson": {"messages": messages}},
                "output": {"outputContentType": "application/json", "outputBodyJson": body},
            }
        )
        return request_id

    def deliver(self) -> None:
        """Write the log."""
        now = datetime.now(UTC)
        cloud = self._deployed.cloud
        folder = f"logs/AWSLogs/{cloud.account}/BedrockModelInvocationLogs/{cloud.region}/{now:%Y/%m/%d/%H}"
        content = gzip.compress("\n".join(map(json.dumps, self.records)).encode())
        self._deployed.client("s3").put_object(
            Bucket=self._bucket, Key=f"{folder}/{uuid.uuid4().hex}.json.gz", Body=content
        )
        self.records.clear()


@pytest.fixture
def production(deployed: Any, evaluations: Evaluations) -> Production:
    return Production(deployed, evaluations.bucket)


def test_a_drift_report_that_asks_for_it_lets_people_rate_the_window(
    deployed: Any, production: Production, raters: Raters
) -> None:
    for text in rated_texts("tweets")[100:108]:
        production.ask(text)
    production.deliver()
    report = f"hallmark:drift-report/tests-{uuid.uuid4().hex[:8]}"
    now = datetime.now(UTC)
    detail = {
        "report": report,
        "monitor": "tests",
        "subject": VADER,
        "subjectName": "vader",
        "window": {
            "start": (now - timedelta(hours=1)).isoformat(),
            "end": (now + timedelta(hours=1)).isoformat(),
            "values": 8,
        },
        "baseline": "hallmark:baseline/tests",
        "findings": [],
        "reportUri": "s3://tests/report.json",
        "detectedAt": now.isoformat(),
        "actions": ["alert", "review"],
        "summary": "drifted",
        "lineage": {"node": {"kind": "drift-report", "id": report}, "at": now.isoformat()},
    }
    entry = {
        "EventBusName": deployed.outputs["EventBusName"],
        "Source": "hallmark",
        "DetailType": "DriftDetected",
        "Detail": json.dumps(detail),
    }
    deployed.client("events").put_events(Entries=[entry, entry])

    review = asked_for(deployed, "vader-in-production-")
    assert review["cause"] == report
    assert review["tasks"] == 6
    raters.ask("rater-1", "close", review=review["review"])
    shown = node(deployed, f"hallmark:review/{review['review']}")
    assert report in " ".join(edge["source"] for edge in shown["upstream"])


def test_feedback_that_comes_before_its_log_finds_the_model_and_becomes_a_dataset(
    deployed: Any, production: Production
) -> None:
    texts = rated_texts("tweets")[200:203]
    asked = {production.ask(text): text for text in texts}
    for request_id, text in asked.items():
        said = {"request_id": request_id, "label": text.label, "comment": "private words", "by": "user-1"}
        first, again = (deployed.call("ReceiveFeedbackFunctionName", said) for _ in range(2))
        assert (first["new"], again["new"]) == (True, False)
    assert deployed.call("JoinFeedbackFunctionName", {})["found"] == 0
    production.deliver()

    def joined() -> list[dict[str, Any]] | None:
        deployed.call("JoinFeedbackFunctionName", {})
        found = [each for name in asked for each in reviews(deployed, "feedback", request_id=name)["feedback"]]
        return found if all(each["status"] == "joined" for each in found) else None

    for each in deployed.eventually(joined):
        assert each["found"]["subject"].endswith(f"foundation-model/{VADER}")
        assert each["found"]["prompt"] == SENTIMENT_PROMPT.format(text=asked[each["given"]["request_id"]].text)

    (made,) = deployed.call("ExportFeedbackFunctionName", {"model": VADER, "min_cases": 3})["datasets"]
    bucket, _, key = made["dataset"].removeprefix("s3://").partition("/")
    lines = deployed.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()
    assert {tuple(json.loads(line)["expected"]) for line in lines} == {(text.label,) for text in texts}
    assert "private words" not in "".join(lines)
    shown = node(deployed, made["dataset"])
    assert "hallmark:feedback/" in " ".join(edge["source"] for edge in shown["upstream"])
    trace = deployed.ask("trace", node=made["dataset"])
    assert any(VADER in found["key"] for found in trace["nodes"])


def test_feedback_from_a_queue_that_says_nothing_is_a_dead_letter_and_in_a_call_an_error(deployed: Any) -> None:
    sqs, queue = deployed.client("sqs"), deployed.outputs["FeedbackQueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"request_id": "q", "rating": 5}))
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"request_id": "kept-from-the-queue", "score": 1}))

    letters = deployed.eventually(lambda: deployed.dead_letters("Feedback"))
    assert [each["MessageAttributes"]["ErrorType"]["StringValue"] for each in letters] == ["InvalidInputError"]
    assert "no such field" in letters[0]["MessageAttributes"]["ErrorMessage"]["StringValue"]
    kept = deployed.eventually(lambda: reviews(deployed, "feedback", request_id="kept-from-the-queue")["feedback"])
    assert kept[0]["given"]["score"] == 1.0
    with pytest.raises(AssertionError, match="score is 9"):
        deployed.call("ReceiveFeedbackFunctionName", {"request_id": "q", "score": 9})


def test_a_note_is_kept_beside_a_node(deployed: Any, raters: Raters, rated: dict[str, Any]) -> None:
    about = f"hallmark:review/{rated['review']}"
    noted = raters.ask("rater-3", "note", kind="review", node=about, text="two raters misread irony")

    shown = node(deployed, noted["note"])
    assert shown["attributes"]["text"] == "two raters misread irony"
    assert [edge["source"] for edge in shown["upstream"]] == [about]
