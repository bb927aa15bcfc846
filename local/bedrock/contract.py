"""What the parts of the Bedrock stand-in agree on: a call, an answer, a question to a model and its reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from local.sagemaker.contract import Call as ResourceCall
from local.sagemaker.contract import ServiceError

Document = dict[str, Any]

__all__ = [
    "Answer",
    "Call",
    "Document",
    "HttpRequest",
    "Model",
    "Operation",
    "Question",
    "Reply",
    "ServiceError",
    "invalid",
]


@dataclass(frozen=True)
class Call(ResourceCall):
    """One request to Bedrock's API, already validated against botocore's input shape."""

    def arn(self, resource: str) -> str:
        """Return the ARN of one of the account's resources, e.g. ``evaluation-job/abcdefghwxyz``."""
        return f"arn:{self.partition}:bedrock:{self.region}:{self.account}:{resource}"

    def foundation_model_arn(self, model_id: str) -> str:
        """Return the ARN of a foundation model, which belongs to no account."""
        return f"arn:{self.partition}:bedrock:{self.region}::foundation-model/{model_id}"


@dataclass(frozen=True)
class HttpRequest:
    """One request whose signature and permission are already checked.

    Attributes:
        method: HTTP method.
        path: Path, percent-decoded.
        query: Query parameters.
        headers: With lower-case names.
        body: The request's body.
        account: Twelve digits.
        region: Region of the endpoint.
        caller_arn: Who signed.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    account: str
    region: str
    caller_arn: str


@dataclass(frozen=True)
class Answer:
    """What an operation answers; the members of its output shape, and when.

    Attributes:
        members: By the names of the output shape.
        delay_seconds: Time to let pass before the answer is sent.
        stream: Events of an event stream in their order, as (name of the event, its members), where there is one.
    """

    members: Document = field(default_factory=dict)
    delay_seconds: float = 0.0
    stream: tuple[tuple[str, Document], ...] = ()


Operation = Callable[[Call], "Document | Answer"]


@dataclass(frozen=True)
class Question:
    """What a model is asked.

    Attributes:
        text: Text of the last user turn.
        system: System prompt, empty where there is none.
        turns: All turns, as (``user`` or ``assistant``, text).
        max_tokens: The reply's length at most; ``None`` for the model's own limit.
        temperature: Only models that draw at random heed it.
        top_p: Likewise.
        stop_sequences: The reply ends before the first of them.
    """

    text: str
    system: str = ""
    turns: tuple[tuple[str, str], ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What a model replies; tokens are counted for it unless it counts itself."""

    text: str
    stop_reason: str = "end_turn"
    input_tokens: int | None = None
    output_tokens: int | None = None


class Model(Protocol):
    """A model that replies with text; called from several threads."""

    def reply(self, question: Question) -> Reply:
        """Reply to ``question``.

        Raises:
            ServiceError: The question is not one that the model can be asked.
        """
        ...


def invalid(message: str) -> ServiceError:
    """Return the error of a request that breaks a rule."""
    return ServiceError("ValidationException", message)
