"""What the parts of the SageMaker stand-in agree on: a call, an operation, an error, a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Parameters = Mapping[str, Any]
Description = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request to the SageMaker API, already validated against botocore's input shape.

    ``parameters`` has Python types as botocore gives them to a caller: timestamps are aware ``datetime`` objects.
    """

    operation: str
    parameters: Parameters
    account: str
    region: str
    partition: str = "aws"
    caller_arn: str = ""

    def arn(self, resource: str) -> str:
        """Return the ARN of a SageMaker resource, e.g. ``training-job/mine``."""
        return f"arn:{self.partition}:sagemaker:{self.region}:{self.account}:{resource}"


class ServiceError(Exception):
    """An error in the shape that AWS's JSON protocol sends."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


Operation = Callable[[Call], Description]


@dataclass(frozen=True)
class ResourceChanged:
    """A resource of the stand-in came into being, changed its state, or went away.

    ``kind`` is the word in the resource's ARN (``training-job``, ``model-package``, ``endpoint`` and so on),
    ``description`` what the resource's Describe operation answers now (or answered last, when ``deleted``).
    """

    kind: str
    arn: str
    account: str
    region: str
    partition: str
    description: Description
    tags: Mapping[str, str] = field(default_factory=dict)
    previous_status: str | None = None
    deleted: bool = False


Listener = Callable[[ResourceChanged], None]
