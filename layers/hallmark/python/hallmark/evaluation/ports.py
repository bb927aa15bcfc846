"""What asking needs from the outside world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from hallmark.errors import HallmarkError
from hallmark.evaluation.cases import Case, Message
from hallmark.evaluation.results import Answer, Failure
from hallmark.evaluation.suites import Inference, ModelVariant


class ThrottledError(HallmarkError):
    """The service takes no more requests at the moment; nothing was asked, nothing is paid."""


class RefusedError(HallmarkError):
    """The service refuses this request and will refuse it again."""


class NoReplyError(HallmarkError):
    """A request was sent and no reply came: it may have been paid for."""


class Models(Protocol):
    """The models, behind one way to ask."""

    def ask(
        self, model_id: str, conversation: Sequence[Message], system: str | None, inference: Inference, tag: str
    ) -> Answer:
        """Ask once, without repeating anything that may be paid for.

        Args:
            model_id: What Converse takes.
            conversation: Turns, the last one the user's.
            system: System prompt.
            inference: Parameters.
            tag: Correlation, kept in the service's own log.

        Raises:
            ThrottledError: Too many requests, or the service is not available: ask again later.
            RefusedError: No such model, no access, an input that it cannot take.
            NoReplyError: The reply did not come.
        """
        ...


class AnswerKey(NamedTuple):
    """Names one call; a run makes it once."""

    model: str
    dataset: str
    case: str
    epoch: int


class Outcome(NamedTuple):
    """An answer or a failure; neither where the call was announced and never heard of again."""

    answer: Answer | None
    failure: Failure | None


class AnswerBook(Protocol):
    """Calls of one run: each is announced before it is made, and its outcome recorded at once."""

    def find(self, keys: Sequence[AnswerKey]) -> Mapping[AnswerKey, Outcome]:
        """Return what is known of calls; those that nobody announced are not in it."""
        ...

    def announce(self, calls: Mapping[AnswerKey, float]) -> bool:
        """Say that these calls are about to be made; False, and nothing is said, where one of them is known already.

        Args:
            calls: What each can cost at most, in USD.
        """
        ...

    def record(self, key: AnswerKey, outcome: Outcome) -> None:
        """Record what came of a call."""
        ...

    def withdraw(self, keys: Sequence[AnswerKey]) -> None:
        """Say that these calls were not made after all, so that they can be made later."""
        ...


class Purse(Protocol):
    """The money of a run, shared by all that ask for it.

    What an invocation took and did not give back is its own as long as it can be alive. After that it is there for
    others, but for calls that may have been paid for.
    """

    def reserve(self, usd: float, returned_usd: float, progress: Progress) -> bool:
        """Take an amount if the cap allows it, and give back what an earlier one left over.

        Args:
            usd: What the next calls can cost at most.
            returned_usd: What was reserved before and not spent.
            progress: What was done since the last time.
        """
        ...

    def settle(self, returned_usd: float, progress: Progress) -> float:
        """Give back what is left over; hold nothing any more.

        Returns:
            What others hold in reserve, and what was taken back from the dead: for what it is worth trying again, in
            USD.
        """
        ...


class Progress(NamedTuple):
    """What was done between two reservations."""

    answered: int = 0
    failed: int = 0
    spent_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0


class Pace(Protocol):
    """The rate at which a model is asked, kept over all invocations."""

    def wait_seconds(self, model_id: str, requests: int, per_minute: float, what: str) -> float:
        """Take ``requests`` from a bucket that fills at ``per_minute``; return how long to wait before using them."""
        ...


class Clock(Protocol):
    """Time, and the passing of it."""

    def now(self) -> datetime:
        """Return the time."""
        ...

    def remaining_seconds(self) -> float:
        """Return how long this invocation may still work."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Asked(NamedTuple):
    """One case to ask of one variant."""

    key: AnswerKey
    variant: ModelVariant
    case: Case
