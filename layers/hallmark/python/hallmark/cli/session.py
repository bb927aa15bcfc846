"""What the commands share: the deployed stacks, the screen, and how to say that something is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, Protocol

import typer
from rich.console import Console

from hallmark.aws.deployed import Redriven, Waiting
from hallmark.aws.rerunning import Reruns
from hallmark.errors import HallmarkError
from hallmark.evaluation.questions import Question as EvaluationQuestion
from hallmark.gates.deciding import Request as DecisionRequest
from hallmark.ledger.tiles import Read
from hallmark.lineage.exports.sending import Post
from hallmark.lineage.questions import Answer, Question
from hallmark.lineage.reproduction.checking import World

FAILED = 1


class LineageService(Protocol):
    """What the commands need of the deployed stacks."""

    def ask(self, question: Question) -> Answer:
        """Ask the query function."""
        ...

    def backfill(self, since: datetime | None) -> None:
        """Start a sweep over the account."""
        ...

    def dead_letters(self, limit: int) -> list[Waiting]:
        """Return what waits in the dead-letter queues."""
        ...

    def ask_evaluations(self, question: EvaluationQuestion) -> dict[str, Any]:
        """Ask the function ``query_evaluations``."""
        ...

    def call(self, output: str, stack: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke a function of any of Hallmark's stacks, by the output that names it."""
        ...

    def decide(self, request: DecisionRequest) -> dict[str, Any]:
        """Send a person's decision to the function ``decide_promotion``, with the proof of who decides."""
        ...

    def call_signed(self, output: str, stack: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke a function with the proof of who calls."""
        ...

    def caller(self) -> str:
        """Return the ARN of whoever calls."""
        ...

    def output_of(self, output: str, stack: str) -> str:
        """Return an output of any of Hallmark's stacks."""
        ...

    def signed_posts(self, output: str, stack: str) -> Callable[[bytes, Mapping[str, str]], tuple[int, bytes]]:
        """Return what signs a body, posts it to the address in an output, and tells status and answer."""
        ...

    def lineage_target(self, address: str, key: str | None) -> Post:
        """Return what hands run events to an OpenLineage endpoint, or to a domain of SageMaker Catalog."""
        ...

    def read_log(self, place: str) -> Read:
        """Return what reads the files of a ledger."""
        ...

    def reruns(self) -> Reruns:
        """Return what starts a run again and follows it, by the caller's own rights."""
        ...

    def account(self) -> World:
        """Return the account, as the caller's own rights show it."""
        ...

    def redrive(self) -> list[Redriven]:
        """Send the dead letters back."""
        ...


@dataclass
class Context:
    """What the commands share."""

    connect: Callable[[], LineageService]
    screen: Console = field(default_factory=lambda: Console(highlight=False))
    errors: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))


def guard(context: typer.Context, call: Callable[[LineageService], Any]) -> Any:
    """Call the deployed stacks; say what stands in the way and end, where something does."""
    try:
        return call(context.obj.connect())
    except HallmarkError as error:
        fail(context, str(error))


def fail(context: typer.Context, message: str) -> NoReturn:
    """Say what is wrong and end."""
    context.obj.errors.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(FAILED)


def print_json(document: Any) -> None:
    """Print a document as JSON."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
