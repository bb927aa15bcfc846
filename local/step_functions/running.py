"""An execution that runs: what its states share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local.step_functions.cancellation import Cancellation
from local.step_functions.checkpoints import Checkpoint
from local.step_functions.documents import Document
from local.step_functions.history import History


@dataclass(frozen=True)
class Identity:
    """What an execution is.

    Attributes:
        arn: Of the execution, or of the child of a map run.
        name: Its name.
        role_arn: The state machine's role.
        input: Its input.
        start_time: As the context object shows it.
        state_machine_arn: Of the state machine; for a child with the map's label.
        state_machine_name: Without a label.
        redrive_count: How often it was redriven.
    """

    arn: str
    name: str
    role_arn: str
    input: Any
    start_time: str
    state_machine_arn: str
    state_machine_name: str
    redrive_count: int = 0

    @property
    def session(self) -> str:
        """Name of the role's session, for IAM."""
        return self.name[-64:]

    def context(self) -> dict[str, Any]:
        """Return the members of the context object that stay."""
        return {
            "Execution": {
                "Id": self.arn,
                "Input": self.input,
                "Name": self.name,
                "RoleArn": self.role_arn,
                "StartTime": self.start_time,
                "RedriveCount": self.redrive_count,
            },
            "StateMachine": {"Id": self.state_machine_arn, "Name": self.state_machine_name},
        }


@dataclass(frozen=True)
class Scope:
    """States that run one after the other: of an execution, a branch or an iteration.

    Attributes:
        identity: The execution.
        history: Its history.
        states: Definitions by name.
        start_at: Name of the first.
        language: Query language of states that name none.
        cancellation: Ends the run.
        outer_variables: Variables of the scopes around it, which it sees and cannot set.
        map_item: ``Map`` of the context object, inside an inline map.
    """

    identity: Identity
    history: History
    states: Mapping[str, Document]
    start_at: str
    language: str
    cancellation: Cancellation
    outer_variables: Mapping[str, Any] = field(default_factory=dict)
    map_item: Document | None = None

    def context(self) -> dict[str, Any]:
        """Return the context object, without the state."""
        context = self.identity.context()
        return context if self.map_item is None else {**context, "Map": self.map_item}

    def inside(self, processor: Document, variables: Mapping[str, Any], **changes: Any) -> Scope:
        """Return the scope of a branch or an inline iteration."""
        return replace(
            self,
            states=processor["States"],
            start_at=processor["StartAt"],
            language=processor.get("QueryLanguage", self.language),
            outer_variables=variables,
            **changes,
        )


@dataclass(frozen=True)
class Visit:
    """One state of a scope, as it was entered.

    Attributes:
        scope: Where it stands.
        checkpoint: Where the scope stands.
        name: Name of the state.
        state: Its definition.
        raw_input: Its input.
        variables: Variables that it sees.
        entered: When, as the context object shows it.
        event: Id of the event that entered it.
    """

    scope: Scope
    checkpoint: Checkpoint
    name: str
    state: Document
    raw_input: Any
    variables: Mapping[str, Any]
    entered: str
    event: int

    def context(self, retry_count: int = 0, token: str | None = None) -> dict[str, Any]:
        """Return the context object of an attempt."""
        context = {
            **self.scope.context(),
            "State": {"EnteredTime": self.entered, "Name": self.name, "RetryCount": retry_count},
        }
        return context if token is None else {**context, "Task": {"Token": token}}
