"""The deployed stack, as the command line uses it: its outputs, its query function, its queues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound
from botocore.session import Session

from hallmark.aws.failures import describe_error
from hallmark.errors import HallmarkError
from hallmark.lineage.questions import Answer, Question, read_answer

DEFAULT_STACK = "HallmarkLineage"
_DEAD_LETTERS = "DeadLetterQueueUrl"
_READ_SECONDS = 70
_PEEK_SECONDS = 5


class DeploymentError(HallmarkError):
    """Hallmark cannot be asked; the message says why and what to do."""


class QuestionError(HallmarkError):
    """The query function did not take the question."""


class DeadLetter(NamedTuple):
    """A message that could not be handled."""

    queue: str
    function: str
    error: str
    reason: str
    receives: int
    sent_at: str
    body: str


class Deployed:
    """A stack in an account and Region.

    Raises:
        DeploymentError: There is no such stack, or no way to reach it.
    """

    def __init__(
        self,
        *,
        stack: str = DEFAULT_STACK,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        self._stack = stack
        self._endpoint_url = endpoint_url
        try:
            self._session = Session(profile=profile)
            if region:
                self._session.set_config_variable("region", region)
            self._outputs = self._read_outputs()
        except ProfileNotFound as error:
            raise DeploymentError(f"{error}: choose another --profile") from None
        except NoRegionError:
            raise DeploymentError("no Region is set: use --region, or set AWS_REGION") from None

    def ask(self, question: Question) -> Answer:
        """Ask the query function.

        Raises:
            QuestionError: It did not take the question; the message says why.
            DeploymentError: It could not be reached.
        """
        answer = self._call(
            "lambda",
            "invoke",
            FunctionName=self._outputs["QueryLineageFunctionName"],
            Payload=question.model_dump_json().encode(),
        )
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise QuestionError(str(payload.get("errorMessage", payload)))
        return read_answer(payload)

    def backfill(self, since: str | None) -> None:
        """Start a sweep over the whole account, or over what changed since a time."""
        message = {"since": since} if since else {"full": True}
        self._call(
            "sqs", "send_message", QueueUrl=self._outputs["ReconciliationQueueUrl"], MessageBody=json.dumps(message)
        )

    def dead_letters(self) -> list[DeadLetter]:
        """Return up to ten of the messages that wait in each dead-letter queue, and leave them there."""
        found = []
        for name, url in self._dead_letter_queues().items():
            answer = self._call(
                "sqs",
                "receive_message",
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_PEEK_SECONDS,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            found += [_dead_letter(name, message) for message in answer.get("Messages", [])]
        return found

    def redrive(self) -> list[str]:
        """Send the dead letters of every queue back to where they came from; return the names of the queues."""
        sent = []
        for name, url in self._dead_letter_queues().items():
            attributes = self._call(
                "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn", "ApproximateNumberOfMessages"]
            )["Attributes"]
            if int(attributes["ApproximateNumberOfMessages"]):
                self._call("sqs", "start_message_move_task", SourceArn=attributes["QueueArn"])
                sent.append(name)
        return sent

    def _dead_letter_queues(self) -> Mapping[str, str]:
        return {
            name.removeprefix(_DEAD_LETTERS): url
            for name, url in self._outputs.items()
            if name.startswith(_DEAD_LETTERS)
        }

    def _read_outputs(self) -> dict[str, str]:
        try:
            answer = self._client("cloudformation").describe_stacks(StackName=self._stack)
        except ClientError as error:
            if "does not exist" in str(error):
                raise DeploymentError(
                    f"there is no stack {self._stack!r} in this account and Region: deploy it with `npx cdk deploy`, "
                    "or name another with --stack, --region or --profile"
                ) from None
            raise DeploymentError(f"reading stack {self._stack!r}: {describe_error(error)}") from None
        except NoCredentialsError:
            raise DeploymentError(
                "there are no AWS credentials: set AWS_PROFILE, or log in with your AWS tool"
            ) from None
        except NoRegionError:
            raise
        except BotoCoreError as error:
            raise DeploymentError(f"AWS cannot be reached: {error}") from None
        outputs = answer["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def _call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client(service), operation)(**request)
        except ClientError as error:
            raise DeploymentError(f"{service} {operation}: {describe_error(error)}") from None
        except BotoCoreError as error:
            raise DeploymentError(f"{service} cannot be reached: {error}") from None
        return answer

    def _client(self, service: str) -> Any:
        config = Config(read_timeout=_READ_SECONDS, retries={"total_max_attempts": 2}, user_agent_extra="hallmark-cli")
        return self._session.create_client(service, endpoint_url=self._endpoint_url, config=config)


def _dead_letter(queue: str, message: Mapping[str, Any]) -> DeadLetter:
    told = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    attributes = message.get("Attributes", {})
    return DeadLetter(
        queue=queue,
        function=told.get("Function") or told.get("RULE_ARN", ""),
        error=told.get("ErrorType") or told.get("ERROR_CODE", "not handled"),
        reason=told.get("ErrorMessage") or told.get("ERROR_MESSAGE", "its queue delivered it as often as it may"),
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        sent_at=str(attributes.get("SentTimestamp", "")),
        body=str(message.get("Body", "")),
    )
