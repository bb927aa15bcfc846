"""Where a run of states stands, so that a redriven execution goes on from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Checkpoint:
    """Where one run of states stands: an execution, a branch, an iteration, or a child of a map run.

    Attributes:
        state: Name of the state that runs or failed; ``None`` before the first one.
        input: Input of that state.
        variables: Workflow variables of this scope.
        inner: Standing of the branches or iterations of that state, by index.
        map_run_arn: Map run of that state, if it has one.
        finished: Whether the run came to its end.
        result: Its output then.
    """

    state: str | None = None
    input: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    inner: dict[int, Checkpoint] = field(default_factory=dict)
    map_run_arn: str | None = None
    finished: bool = False
    result: Any = None

    def enter(self, state: str, state_input: Any) -> None:
        """Stand at the beginning of a state."""
        self.state = state
        self.input = state_input
        self.forget_inner()

    def forget_inner(self) -> None:
        """Let the state's branches, iterations and map run begin anew, as a retry does."""
        self.inner = {}
        self.map_run_arn = None

    def finish(self, result: Any) -> None:
        """Say that the run came to its end; only its result is kept."""
        self.finished = True
        self.result = result
        self.forget_inner()
        self.variables = {}
        self.input = None
