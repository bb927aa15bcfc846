"""The resource of a task: what it calls, and in which of the integration patterns.

Source: "Integrating services with Step Functions", developer guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Pattern(Enum):
    """When a task is done."""

    REQUEST_RESPONSE = ""
    SYNC = ".sync"
    SYNC_2 = ".sync:2"
    WAIT_FOR_TASK_TOKEN = ".waitForTaskToken"  # noqa: S105 - a pattern's name


@dataclass(frozen=True)
class TaskResource:
    """A task's resource.

    Attributes:
        arn: As the state gives it.
        service: ``lambda``, ``sqs``, ``aws-sdk:bedrock``; empty for a function's or an activity's own ARN.
        action: In camelCase; empty as above.
        pattern: When the task is done.
    """

    arn: str
    service: str = ""
    action: str = ""
    pattern: Pattern = Pattern.REQUEST_RESPONSE

    @property
    def is_function(self) -> bool:
        """Whether it is a function's own ARN."""
        return not self.service and ":function:" in self.arn

    @property
    def is_activity(self) -> bool:
        """Whether it is an activity's ARN."""
        return not self.service and ":activity:" in self.arn

    @property
    def sdk_service(self) -> str | None:
        """The service of an ``aws-sdk`` integration, e.g. ``bedrock``; ``None`` for others."""
        return self.service.removeprefix("aws-sdk:") if self.service.startswith("aws-sdk:") else None

    @property
    def action_with_pattern(self) -> str:
        """Resource of the history's events, e.g. ``sendMessage.waitForTaskToken``."""
        return f"{self.action}{self.pattern.value}"


_INTEGRATION = re.compile(r"arn:aws[\w-]*:states:[\w-]*:\d*:((?:aws-sdk:)?[\w-]+):(\w+)(\.[\w:]+)?")
_OWN = re.compile(r"arn:aws[\w-]*:(lambda|states):[\w-]+:\d{12}:(function|activity):.+")


def parse_resource(arn: str) -> TaskResource:
    """Read a task's resource.

    Raises:
        ValueError: It is neither a function, an activity nor an integration.
    """
    if _OWN.fullmatch(arn):
        return TaskResource(arn)
    found = _INTEGRATION.fullmatch(arn)
    if found is None:
        raise ValueError(f"The resource '{arn}' is neither a function, an activity nor a service integration")
    return TaskResource(arn, found[1], found[2], Pattern(found[3] or ""))
