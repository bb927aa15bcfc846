"""The deployed stack, as the command line uses it: its outputs, its query function, its queues."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
)
from botocore.session import Session

from hallmark.aws.caller_proof import prove_caller
from hallmark.aws.failures import describe_error, error_code
from hallmark.aws.http_posts import HttpPosts
from hallmark.aws.ledger_reading import log_reader
from hallmark.aws.lineage_targets import CatalogDomain, OpenLineageEndpoint
from hallmark.aws.reproducing import AccountWorld
from hallmark.aws.rerunning import Reruns
from hallmark.aws.signed_posts import SignedPosts
from hallmark.errors import HallmarkError
from hallmark.evaluation.questions import Question as EvaluationQuestion
from hallmark.gates.deciding import Request as DecisionRequest
from hallmark.ledger.tiles import Read
from hallmark.lineage.exports.sending import CATALOG_SCHEME, Post
from hallmark.lineage.questions import Answer, Question, read_answer

DEFAULT_STACK = "HallmarkLineage"
_EVALUATION_STACK = "HallmarkEvaluation"
_GATES_STACK = "HallmarkGates"
_DECIDE_PROMOTION = "DecidePromotionFunctionName"
_QUERY_EVALUATIONS = "QueryEvaluationsFunctionName"
_QUERY_FUNCTION = "QueryLineageFunctionName"
_SWEEPS = "ReconciliationQueueUrl"
_DEAD_LETTERS = "DeadLetterQueueUrl"
_CONNECT_SECONDS = 5
_READ_SECONDS = 70
"""Longer than the query function may take (a minute, ``infra/constructs/lineage_questions.py``)."""
_PEEK_SECONDS = 30
_MOVE_SECONDS = 120
_WAIT_SECONDS = 1
"""Without a wait, SQS asks a part of its servers only, and may find nothing (developer guide, short polling)."""
_RECEIVED_AT_ONCE = 10
"""SQS API reference, ReceiveMessage: MaxNumberOfMessages."""

# What to do where AWS does not know or allow the caller, by error code (AWS general reference, common errors).
_CODES = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired"), "the credentials expired: log in again"
    ),
    **dict.fromkeys(
        ("AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"),
        "AWS does not know these credentials: check --profile or AWS_PROFILE",
    ),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
        "ask whoever runs the account for this permission, or use another --profile",
    ),
}
# The same where no answer came: the first that fits counts.
_OBSTACLES: tuple[tuple[tuple[type[BotoCoreError], ...], str], ...] = (
    ((NoCredentialsError, PartialCredentialsError), "there are no AWS credentials: use --profile, or set AWS_PROFILE"),
    (
        (CredentialRetrievalError, SSOError),
        "the AWS credentials cannot be read: log in again, e.g. with `aws sso login`",
    ),
    ((NoRegionError,), "no Region is set: use --region, or set AWS_REGION"),
    ((ConnectionError, HTTPClientError), "AWS cannot be reached: check the network, --region and AWS_ENDPOINT_URL"),
)

_PLAIN_ERRORS = frozenset({"InvalidInputError", "NotFoundError"})
"""Errors of ours whose message is for whoever asked."""

# What Lambda says of a function that it had to end, or whose answer it does not carry (Lambda developer guide).
_REMEDIES = {
    "Sandbox.Timedout": "the answer took too long: ask for less with --depth or --nodes, or of a nearer node",
    "Function.ResponseSizeTooLarge": "the answer is too large: ask for fewer nodes a page with --nodes",
    "Runtime.ExitError": "the function ran out of memory or crashed: see its log group in CloudWatch",
    "Runtime.OutOfMemory": "the function ran out of memory: raise its memory in the stack",
}


class DeploymentError(HallmarkError):
    """Hallmark cannot be asked; the message says why and what to do."""


class QuestionError(HallmarkError):
    """The query function did not answer the question; the message says why."""


class DeadLetter(NamedTuple):
    """A message that could not be handled: who refused it, why, how often it was tried, and what it says."""

    queue: str
    function: str
    error: str
    reason: str
    receives: int
    sent_at: datetime
    body: str


class Waiting(NamedTuple):
    """A dead-letter queue: how many messages wait (SQS's approximate number), and the first of them."""

    queue: str
    messages: int
    letters: tuple[DeadLetter, ...]


class Redriven(NamedTuple):
    """What became of a queue's dead letters: how many were sent back; else why none could be."""

    queue: str
    sent: int
    obstacle: str = ""


class Deployed:
    """A stack in an account and Region.

    Args:
        stack: Its name; None finds the one that has Hallmark's outputs.
        region: AWS Region; None takes the profile's or the environment's.
        profile: Profile of the AWS configuration.
        endpoint_url: Endpoint of every service; botocore reads ``AWS_ENDPOINT_URL`` by itself.

    Raises:
        DeploymentError: There is no such stack, or no way to reach it.
    """

    def __init__(
        self,
        *,
        stack: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        self._stack = stack
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self._found_outputs: dict[str, str] = {}
        try:
            self._session = Session(profile=profile)
            self._session.get_scoped_config()
        except ProfileNotFound as error:
            raise DeploymentError(f"{error}: choose another --profile, or unset AWS_PROFILE") from None
        if region:
            self._session.set_config_variable("region", region)
        self._outputs = self._outputs_of(stack) if stack else self._outputs_with(_QUERY_FUNCTION, DEFAULT_STACK)

    def ask(self, question: Question) -> Answer:
        """Ask the query function.

        Raises:
            QuestionError: It did not answer; the message says why.
            DeploymentError: It could not be reached.
        """
        return read_answer(self._invoke("query_lineage", self._output(_QUERY_FUNCTION), question.model_dump_json()))

    def ask_evaluations(self, question: EvaluationQuestion) -> dict[str, Any]:
        """Ask the function that tells of evaluations.

        Raises:
            QuestionError: It did not answer; the message says why.
            DeploymentError: It could not be reached.
        """
        answer: dict[str, Any] = self._invoke(
            "query_evaluations", self.output_of(_QUERY_EVALUATIONS, _EVALUATION_STACK), question.model_dump_json()
        )
        return answer

    def call(self, output: str, stack: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke a function of any of Hallmark's stacks and return its answer.

        Args:
            output: The output that names the function (``QueryLedgerFunctionName``).
            stack: The stack that has it by default (``HallmarkLedger``), should several have it.
            payload: What the function is asked.

        Raises:
            QuestionError: It did not answer; the message says why.
            DeploymentError: It could not be reached, or is not deployed.
        """
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", output.removesuffix("FunctionName")).lower()
        answer: dict[str, Any] = self._invoke(name, self.output_of(output, stack), json.dumps(payload))
        return answer

    def decide(self, request: DecisionRequest) -> dict[str, Any]:
        """Ask the function that takes people's decisions, with the proof of who asks.

        Raises:
            QuestionError: It refuses; the message says why.
            DeploymentError: It could not be reached, or is not deployed.
        """
        return self.call_signed(_DECIDE_PROMOTION, _GATES_STACK, request.model_dump(mode="json"))

    def call_signed(self, output: str, stack: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke a function with the proof of who calls (``hallmark/aws/caller_proof.py``).

        Args:
            output: The output that names the function.
            stack: The stack that has it by default.
            message: What the function is asked.

        Raises:
            QuestionError: It refuses; the message says why.
            DeploymentError: It could not be reached, or is not deployed.
        """
        with _reaching("sts"):
            proof = prove_caller(message, self._client("sts"), self._session.get_credentials())
        return self.call(output, stack, {"message": dict(message), "proof": proof})

    def caller(self) -> str:
        """Return the ARN of whoever calls.

        Raises:
            DeploymentError: STS could not be asked.
        """
        return str(self._call("sts", "get_caller_identity")["Arn"])

    def output_of(self, output: str, stack: str) -> str:
        """Return an output of any of Hallmark's stacks.

        Raises:
            DeploymentError: It is not deployed.
        """
        if output not in self._found_outputs:
            self._found_outputs |= self._outputs_with(output, stack)
        return self._found_outputs[output]

    def signed_posts(self, output: str, stack: str) -> Callable[[bytes, Mapping[str, str]], tuple[int, bytes]]:
        """Return what signs a body, posts it to the address in an output, and tells status and answer.

        Raises:
            DeploymentError: It is not deployed, or there are no credentials.
        """
        url = self.output_of(output, stack)
        with _reaching("credentials"):
            credentials = self._session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
        region = self._client("cloudformation").meta.region_name
        return SignedPosts(url, credentials, region, self._endpoint_url).post

    def lineage_target(self, address: str, key: str | None) -> Post:
        """Return what hands run events to an OpenLineage endpoint, or (``datazone://DOMAIN``) to SageMaker Catalog."""
        if address.startswith(CATALOG_SCHEME):
            return CatalogDomain(address.removeprefix(CATALOG_SCHEME), self._client("datazone")).post
        return OpenLineageEndpoint(address, HttpPosts(), key=key).post

    def read_log(self, place: str) -> Read:
        """Return what reads the files of a ledger in ``s3://bucket/prefix``, or in a folder.

        Raises:
            HallmarkError: There is no such folder.
        """
        return log_reader(place, lambda: self._client("s3"))

    def reruns(self) -> Reruns:
        """Return what copies data, starts a run again and follows it, by the caller's own rights."""
        return Reruns(self._client)

    def account(self) -> AccountWorld:
        """Return the account, as the caller's own rights show it."""
        return AccountWorld(self._client)

    def _invoke(self, name: str, function: str, payload: str) -> Any:
        answer = self._call("lambda", "invoke", FunctionName=function, Payload=payload.encode())
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            kind, message = str(document.get("errorType", "")), str(document.get("errorMessage", document))
            if kind in _PLAIN_ERRORS:
                raise QuestionError(message)
            remedy = _REMEDIES.get(kind, f"see the function's log group in CloudWatch ({function})")
            raise QuestionError(f"{kind or 'error'} in {name}: {message}; {remedy}")
        return document

    def backfill(self, since: datetime | None) -> None:
        """Start a sweep over the whole account, or over what changed since a time."""
        message = {"since": since.isoformat()} if since else {"full": True}
        self._call("sqs", "send_message", QueueUrl=self._output(_SWEEPS), MessageBody=json.dumps(message))

    def dead_letters(self, limit: int) -> list[Waiting]:
        """Return up to ``limit`` of the messages that wait in each dead-letter queue; all of them stay there."""
        found = []
        for name, url in self._dead_letter_queues().items():
            count = self._count(url)
            messages = self._receive(url, min(limit, count), _PEEK_SECONDS)
            found.append(Waiting(name, count, tuple(_dead_letter(name, message) for message in messages)))
        return found

    def redrive(self) -> list[Redriven]:
        """Send each queue's dead letters back to the queue that they came from.

        A message is removed once it is sent: if this is interrupted between the two, it is handled twice, which
        changes nothing. Those that fail again meanwhile stay for the next time.
        """
        found = []
        for name, url in self._dead_letter_queues().items():
            count = self._count(url)
            if not count:
                continue
            sources = self._call("sqs", "list_dead_letter_source_queues", QueueUrl=url).get("queueUrls", [])
            if len(sources) != 1:
                reason = "several queues send" if sources else "no queue sends"
                obstacle = f"{reason} to it: what is in it runs again on its schedule; purge it when you have read it"
                found.append(Redriven(name, 0, obstacle))
                continue
            sent = 0
            for message in self._receive(url, count, _MOVE_SECONDS):
                self._call("sqs", "send_message", QueueUrl=sources[0], MessageBody=message["Body"])
                self._call("sqs", "delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                sent += 1
            found.append(Redriven(name, sent))
        return found

    def _receive(self, url: str, limit: int, hidden_seconds: int) -> Iterator[Mapping[str, Any]]:
        """Yield up to ``limit`` messages; each is hidden from other receivers for a while, so none comes twice."""
        left = limit
        while left > 0:
            answer = self._call(
                "sqs",
                "receive_message",
                QueueUrl=url,
                MaxNumberOfMessages=min(left, _RECEIVED_AT_ONCE),
                VisibilityTimeout=hidden_seconds,
                WaitTimeSeconds=_WAIT_SECONDS,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                return
            yield from messages
            left -= len(messages)

    def _count(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def _dead_letter_queues(self) -> dict[str, str]:
        """Return the queues of the stack that was named; where none was, of all of Hallmark's stacks."""
        stacks = [self._outputs] if self._stack else [outputs for _, outputs in self._stacks()]
        return {
            name.removeprefix(_DEAD_LETTERS): url
            for outputs in stacks
            for name, url in sorted(outputs.items())
            if name.startswith(_DEAD_LETTERS)
        }

    def _output(self, name: str) -> str:
        try:
            return self._outputs[name]
        except KeyError:
            raise DeploymentError(
                f"the stack has no output {name}: name Hallmark's with --stack, or deploy it again"
            ) from None

    def _outputs_of(self, stack: str) -> dict[str, str]:
        try:
            with _reaching("cloudformation describe_stacks"):
                answer = self._client("cloudformation").describe_stacks(StackName=stack)
        except ClientError as error:
            # CloudFormation's code for a stack that does not exist (API reference, DescribeStacks).
            if error_code(error) != "ValidationError":
                raise DeploymentError(f"cloudformation describe_stacks: {describe_error(error)}") from None
            raise DeploymentError(
                f"there is no stack {stack} in {self._place()}: deploy it with `npx cdk deploy`, "
                "or name another with --stack, --region or --profile"
            ) from None
        return _outputs(answer["Stacks"][0])

    def _outputs_with(self, output: str, default: str) -> dict[str, str]:
        """Find a stack by what it puts out."""
        found = {name: outputs for name, outputs in self._stacks() if output in outputs}
        if len(found) > 1 and default not in found:
            raise DeploymentError(f"Hallmark is deployed more than once: choose with --stack: {', '.join(found)}")
        if not found:
            raise DeploymentError(
                f"Hallmark is not deployed in {self._place()}: deploy it with `npx cdk deploy`, "
                "or look elsewhere with --region or --profile"
            )
        return found.get(default) or next(iter(found.values()))

    def _stacks(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield name and outputs of each stack of the account."""
        token: dict[str, str] = {}
        while True:
            answer = self._call("cloudformation", "describe_stacks", **token)
            for stack in answer["Stacks"]:
                yield stack["StackName"], _outputs(stack)
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _place(self) -> str:
        client = self._client("cloudformation")
        return f"{client.meta.region_name} ({client.meta.endpoint_url})"

    def _call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        try:
            with _reaching(f"{service} {operation}"):
                answer: dict[str, Any] = getattr(self._client(service), operation)(**request)
        except ClientError as error:
            raise DeploymentError(f"{service} {operation}: {describe_error(error)}") from None
        return answer

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"total_max_attempts": 3, "mode": "standard"},
                user_agent_extra="hallmark-cli",
            )
            with _reaching(service):
                self._clients[service] = self._session.create_client(
                    service, endpoint_url=self._endpoint_url, config=config
                )
        return self._clients[service]


@contextmanager
def _reaching(what: str) -> Iterator[None]:
    """Say what to do where AWS cannot be reached, or does not know or allow the caller.

    Every other error of AWS is raised as it is.
    """
    try:
        yield
    except ClientError as error:
        remedy = _CODES.get(error_code(error))
        if remedy is None:
            raise
        raise DeploymentError(f"{what}: {describe_error(error)}: {remedy}") from None
    except BotoCoreError as error:
        remedy = next((text for kinds, text in _OBSTACLES if isinstance(error, kinds)), "see the message")
        raise DeploymentError(f"{what}: {error}: {remedy}") from None
    except ValueError as error:
        raise DeploymentError(f"{what}: {error}: write --endpoint-url as http://host:port") from None


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _dead_letter(queue: str, message: Mapping[str, Any]) -> DeadLetter:
    """Read a message that a function refused, that EventBridge could not deliver, or that was tried too often."""
    told = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    attributes = message.get("Attributes", {})
    receives = int(attributes.get("ApproximateReceiveCount", 0))
    return DeadLetter(
        queue=queue,
        function=told.get("Function") or told.get("RULE_ARN", "").rpartition("/")[2],
        error=told.get("ErrorType") or told.get("ERROR_CODE") or "NotHandled",
        reason=told.get("ErrorMessage") or told.get("ERROR_MESSAGE") or "it was tried as often as its queue allows",
        receives=receives,
        sent_at=datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC),
        body=str(message.get("Body", "")),
    )
