"""The adapter against moto's CloudFormation and SQS, and against a server that answers as Lambda does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.deployed import Deployed, DeploymentError, QuestionError
from hallmark.lineage.exports.sending import Sent
from hallmark.lineage.questions import answer_json
from hallmark.lineage.reconciliation import read_sweep
from hallmark.lineage.surveyed import PathAnswer, PathQuestion
from tests.fakes.openlineage_server import OpenLineageServer

QUEUES = ("Recording", "Reconciliation", "Questions")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def deploy(stack: str = "HallmarkLineage", **outputs: str) -> None:
    """Make a stack with outputs; its one resource is a topic, since a stack needs one."""
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))


@pytest.fixture
def queues(aws: None) -> dict[str, str]:
    """Make the queues of a deployment: two work queues with their dead letters, and one that only a schedule fills."""
    sqs = boto3.client("sqs")
    urls = {}
    for name in QUEUES:
        dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        urls[f"DeadLetterQueueUrl{name}"] = dead
        if name != "Questions":
            arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
            urls[name] = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    outputs = {name: url for name, url in urls.items() if name.startswith("DeadLetter")}
    deploy(QueryLineageFunctionName="query", ReconciliationQueueUrl=urls["Reconciliation"], **outputs)
    return urls


def bodies(url: str) -> list[str]:
    answer = boto3.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return sorted(message["Body"] for message in answer.get("Messages", []))


# --- finding the stack ---


def test_the_stack_is_found_by_what_it_puts_out(aws: None) -> None:
    deploy("SomethingElse", Url="https://example.com")
    deploy("TeamLineage", QueryLineageFunctionName="query")

    assert Deployed().dead_letters(10) == []


def test_of_several_stacks_one_must_be_chosen(aws: None) -> None:
    deploy("one", QueryLineageFunctionName="query")
    deploy("two", QueryLineageFunctionName="query")

    with pytest.raises(DeploymentError, match=r"choose with --stack: .*one.*two|choose with --stack: .*two.*one"):
        Deployed()
    Deployed(stack="two")


def test_without_a_stack_it_says_where_it_looked_and_how_to_deploy(aws: None) -> None:
    with pytest.raises(DeploymentError, match=r"not deployed in eu-west-1 .*npx cdk deploy"):
        Deployed(region="eu-west-1")


def test_a_stack_that_does_not_exist_is_named(aws: None) -> None:
    with pytest.raises(
        DeploymentError, match=r"there is no stack missing in us-east-1 .*--stack, --region or --profile"
    ):
        Deployed(stack="missing")


def test_a_stack_that_is_not_hallmarks_is_refused_by_what_it_lacks(aws: None) -> None:
    deploy("other", Url="https://example.com")

    with pytest.raises(DeploymentError, match="no output QueryLineageFunctionName: name Hallmark's with --stack"):
        Deployed(stack="other").ask(PathQuestion(source="a", target="b"))


# --- what stands in the way ---


def test_without_credentials_it_says_how_to_give_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(DeploymentError, match="no AWS credentials: use --profile"):
        Deployed()


def test_without_a_region_it_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(DeploymentError, match="use --region, or set AWS_REGION"):
        Deployed()


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(DeploymentError, match=r"nobody.*choose another --profile"):
        Deployed(profile="nobody")


def test_an_endpoint_where_nobody_listens_is_named() -> None:
    with pytest.raises(DeploymentError, match=r"127\.0\.0\.1:9/.*AWS_ENDPOINT_URL"):
        Deployed(endpoint_url="http://127.0.0.1:9")


def test_an_endpoint_that_is_no_url_is_refused() -> None:
    with pytest.raises(DeploymentError, match="--endpoint-url"):
        Deployed(endpoint_url="nonsense")


class Service:
    """A server that answers every service: CloudFormation with a stack, Lambda with what a test wants."""

    def __init__(self) -> None:
        self.status = 200
        self.error: tuple[int, str] | None = None
        self.function_error = ""
        self.payload: Any = None
        self.asked: list[dict[str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/":
                    self._answer(200, _STACKS, {"Content-Type": "text/xml"})
                    return
                service.asked.append(json.loads(body))
                if service.error:
                    status, code = service.error
                    self._answer(status, json.dumps({"message": "not you"}), {"x-amzn-ErrorType": code})
                    return
                told = {"X-Amz-Function-Error": service.function_error} if service.function_error else {}
                self._answer(200, json.dumps(service.payload), told)

            def _answer(self, status: int, text: str, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_arguments: object) -> None:
                """Keep the tests' output to the tests."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


_STACKS = """<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult>
<Stacks><member><StackName>HallmarkLineage</StackName><CreationTime>2026-11-23T12:00:00Z</CreationTime>
<StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member><OutputKey>QueryLineageFunctionName</OutputKey>
<OutputValue>query</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


QUESTION = PathQuestion(source="a", target="b", as_of=datetime(2026, 11, 23, tzinfo=UTC))


def test_a_question_goes_to_the_function_as_json_and_the_answer_comes_back_typed(service: Service) -> None:
    answer = PathAnswer(nodes=(), edges=())
    service.payload = answer_json(answer)

    assert Deployed(endpoint_url=service.url).ask(QUESTION) == answer
    assert service.asked == [json.loads(QUESTION.model_dump_json())]


def test_a_question_that_the_function_refuses_fails_with_its_words(service: Service) -> None:
    service.function_error = "Unhandled"
    service.payload = {
        "errorType": "InvalidInputError",
        "errorMessage": "resume is 'x': take the token from the answer",
    }

    with pytest.raises(QuestionError, match=r"^resume is 'x': take the token from the answer$"):
        Deployed(endpoint_url=service.url).ask(QUESTION)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("Sandbox.Timedout", "--depth or --nodes"),
        ("Function.ResponseSizeTooLarge", "--nodes"),
        ("KeyError", "log group"),
    ],
)
def test_a_function_that_fails_is_told_with_a_remedy(service: Service, kind: str, remedy: str) -> None:
    service.function_error = "Unhandled"
    service.payload = {"errorType": kind, "errorMessage": "it failed"}

    with pytest.raises(QuestionError, match=f"{kind} in query_lineage: it failed; .*{remedy}"):
        Deployed(endpoint_url=service.url).ask(QUESTION)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "ask whoever runs the account"),
        ("ExpiredTokenException", "log in again"),
        ("UnrecognizedClientException", "check --profile"),
        ("ResourceNotFoundException", "lambda invoke: ResourceNotFoundException"),
    ],
)
def test_a_refusal_of_aws_is_told_with_a_remedy(service: Service, code: str, remedy: str) -> None:
    service.error = (403, code)

    with pytest.raises(DeploymentError, match=remedy):
        Deployed(endpoint_url=service.url).ask(QUESTION)


# --- queues ---


def test_a_backfill_is_a_message_that_reconciliation_reads(queues: dict[str, str]) -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    deployed = Deployed()
    deployed.backfill(None)
    deployed.backfill(since)

    sweeps = sorted((read_sweep(body) for body in bodies(queues["Reconciliation"])), key=lambda sweep: sweep.full)
    assert [(sweep.since, sweep.full) for sweep in sweeps] == [(since, False), (None, True)]


def test_dead_letters_are_told_with_who_refused_them_and_why_and_stay(queues: dict[str, str]) -> None:
    url = queues["DeadLetterQueueUrlRecording"]
    DeadLetters(url, boto3.client("sqs"), "record_lineage").send("{}", ValueError("detail is 7: give an object"))

    found = {waiting.queue: waiting for waiting in Deployed().dead_letters(10)}

    assert {name: waiting.messages for name, waiting in found.items()} == {
        "Questions": 0,
        "Recording": 1,
        "Reconciliation": 0,
    }
    letter = found["Recording"].letters[0]
    assert (letter.function, letter.error, letter.reason) == (
        "record_lineage",
        "ValueError",
        "detail is 7: give an object",
    )
    assert abs((datetime.now(UTC) - letter.sent_at).total_seconds()) < 60
    attributes = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(attributes["ApproximateNumberOfMessagesNotVisible"]) == 1


def test_what_eventbridge_could_not_deliver_and_what_was_tried_too_often_have_reasons_too(
    queues: dict[str, str],
) -> None:
    sqs = boto3.client("sqs")
    rule = {
        "RULE_ARN": "arn:aws:events:us-east-1:1:rule/Jobs",
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "denied",
    }
    told: dict[str, Any] = {name: {"DataType": "String", "StringValue": value} for name, value in rule.items()}
    sqs.send_message(QueueUrl=queues["DeadLetterQueueUrlRecording"], MessageBody="{}", MessageAttributes=told)
    sqs.send_message(QueueUrl=queues["DeadLetterQueueUrlReconciliation"], MessageBody="{}")

    letters = {letter.queue: letter for waiting in Deployed().dead_letters(10) for letter in waiting.letters}

    assert letters["Recording"][1:4] == ("Jobs", "NO_PERMISSIONS", "denied")
    assert letters["Reconciliation"].error == "NotHandled"
    assert "as often as its queue allows" in letters["Reconciliation"].reason


def test_more_dead_letters_than_one_call_returns_are_told_up_to_the_limit(queues: dict[str, str]) -> None:
    for number in range(25):
        boto3.client("sqs").send_message(QueueUrl=queues["DeadLetterQueueUrlRecording"], MessageBody=str(number))

    recording = next(waiting for waiting in Deployed().dead_letters(15) if waiting.queue == "Recording")

    assert recording.messages == 25
    assert len({letter.body for letter in recording.letters}) == len(recording.letters) == 15


def test_a_redrive_moves_each_letter_to_the_queue_that_it_came_from(queues: dict[str, str]) -> None:
    sqs = boto3.client("sqs")
    for name in ("Recording", "Reconciliation"):
        for number in range(12):
            sqs.send_message(QueueUrl=queues[f"DeadLetterQueueUrl{name}"], MessageBody=f"{name} {number}")

    redriven = {found.queue: found.sent for found in Deployed().redrive()}

    assert redriven == {"Recording": 12, "Reconciliation": 12}
    for name in redriven:
        attributes = sqs.get_queue_attributes(QueueUrl=queues[name], AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "12"
        assert all(body.startswith(name) for body in bodies(queues[name]))
        left = sqs.get_queue_attributes(QueueUrl=queues[f"DeadLetterQueueUrl{name}"], AttributeNames=["All"])[
            "Attributes"
        ]
        assert left["ApproximateNumberOfMessages"] == left["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_letters_that_came_from_no_queue_stay_and_the_reason_is_told(queues: dict[str, str]) -> None:
    url = queues["DeadLetterQueueUrlQuestions"]
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody="{}")

    (found,) = Deployed().redrive()

    assert (found.queue, found.sent) == ("Questions", 0)
    assert "no queue sends to it" in found.obstacle
    assert bodies(url) == ["{}"]


def test_a_function_of_any_stack_is_asked_by_the_output_that_names_it(service: Service) -> None:
    service.payload = {"answer": "status"}

    assert Deployed(endpoint_url=service.url).call("QueryLineageFunctionName", "HallmarkLineage", {"ask": "it"}) == {
        "answer": "status"
    }
    assert service.asked == [{"ask": "it"}]
    with pytest.raises(DeploymentError, match="not deployed"):
        Deployed(endpoint_url=service.url).call("QueryGhostsFunctionName", "HallmarkGhosts", {})


def test_dead_letters_are_shown_of_all_stacks_and_of_one_where_it_is_named(queues: dict[str, str]) -> None:
    deploy("HallmarkElse", DeadLetterQueueUrlElse=queues["DeadLetterQueueUrlQuestions"])

    assert {found.queue for found in Deployed().dead_letters(1)} == {*QUEUES, "Else"}
    assert {found.queue for found in Deployed(stack="HallmarkElse").dead_letters(1)} == {"Else"}


# --- addresses outside of the stack ---


def test_requests_to_the_api_are_signed_and_run_events_reach_who_is_named(aws: None) -> None:
    with OpenLineageServer() as served:
        deploy(QueryLineageFunctionName="query")
        deploy("HallmarkIntake", LineageIntakeUrl=served.url)
        stack = Deployed()
        status, _ = stack.signed_posts("LineageIntakeUrl", "HallmarkIntake")(b'{"a": 1}', {"Content-Type": "text/json"})
        stack.lineage_target(served.url, "k1")(Sent({"b": 2}, b'{"b": 2}'))

    assert (status, served.taken) == (201, [{"a": 1}, {"b": 2}])
    (_, signature), (_, key) = served.asked
    assert str(signature).startswith("AWS4-HMAC-SHA256 Credential=")
    assert "/us-east-1/execute-api/aws4_request" in str(signature)
    assert key == "Bearer k1"


def test_without_credentials_nothing_is_sent(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(QueryLineageFunctionName="query", LineageIntakeUrl="https://x.example.com/api/v1/lineage")
    stack = Deployed()
    monkeypatch.setattr(stack._session, "get_credentials", lambda: None)

    with pytest.raises(DeploymentError, match="credentials"):
        stack.signed_posts("LineageIntakeUrl", "HallmarkIntake")
