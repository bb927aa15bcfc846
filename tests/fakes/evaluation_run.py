"""A run's surroundings in memory: models that count their calls, a book, a purse, a pace, a clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Lock

from hallmark.evaluation.asking import Asker
from hallmark.evaluation.cases import Case, Message
from hallmark.evaluation.ports import AnswerKey, Asked, Outcome, Progress
from hallmark.evaluation.results import Answer
from hallmark.evaluation.suites import Inference, ModelVariant

NOW = datetime(2026, 11, 1, tzinfo=UTC)
VARIANT = ModelVariant(model_id="amazon.nova-lite-v1:0", inference=Inference(max_tokens=100))

Behaviour = Callable[[str], str]


def reply(question: str) -> str:
    """Answer in capitals."""
    return question.upper()


class CountedModels:
    """Models that behave as told, and count each call by the question."""

    def __init__(self, behaviour: Behaviour = reply, output_tokens: int = 5) -> None:
        self.behaviour = behaviour
        self.output_tokens = output_tokens
        self.calls: Counter[str] = Counter()
        self._lock = Lock()

    def ask(
        self, model_id: str, conversation: Sequence[Message], system: str | None, inference: Inference, tag: str
    ) -> Answer:
        """Count, then behave."""
        question = conversation[-1].text
        with self._lock:
            self.calls[question] += 1
        text = self.behaviour(question)
        return Answer(
            text=text,
            stop_reason="end_turn",
            input_tokens=10,
            output_tokens=self.output_tokens,
            latency_ms=1.0,
            answered_at=NOW,
        )


class MemoryBook:
    """AnswerBook in memory; ``dies_at`` is the record with which the process dies."""

    def __init__(self) -> None:
        self.outcomes: dict[AnswerKey, Outcome] = {}
        self.dies_at: int | None = None
        self._records = 0
        self._lock = Lock()

    def find(self, keys: Sequence[AnswerKey]) -> Mapping[AnswerKey, Outcome]:
        """Return what is known."""
        return {key: self.outcomes[key] for key in keys if key in self.outcomes}

    def announce(self, calls: Mapping[AnswerKey, float]) -> bool:
        """Remember that calls are about to be made, unless one of them is known."""
        with self._lock:
            if any(key in self.outcomes for key in calls):
                return False
            self.outcomes |= {key: Outcome(None, None) for key in calls}
        return True

    def record(self, key: AnswerKey, outcome: Outcome) -> None:
        """Remember an outcome, or die."""
        with self._lock:
            self._records += 1
            if self._records == self.dies_at:
                raise KilledError
            self.outcomes[key] = outcome

    def withdraw(self, keys: Sequence[AnswerKey]) -> None:
        """Forget calls that were not made."""
        for key in keys:
            del self.outcomes[key]


class KilledError(BaseException):
    """The process dies."""


class MemoryPurse:
    """Purse in memory."""

    def __init__(self, cap_usd: float = 1.0) -> None:
        self.cap_usd = cap_usd
        self.committed_usd = 0.0
        self.spent_usd = 0.0
        self.answered = 0
        self.failed = 0
        self._lock = Lock()

    def reserve(self, usd: float, returned_usd: float, progress: Progress) -> bool:
        """Take an amount if the cap allows it."""
        change = usd - returned_usd
        with self._lock:
            if self.committed_usd + change > self.cap_usd:
                return False
            self._add(change, progress)
        return True

    def settle(self, returned_usd: float, progress: Progress) -> float:
        """Give back what is left over; return what is still reserved."""
        with self._lock:
            self._add(-returned_usd, progress)
            return round(self.committed_usd - self.spent_usd, 9)

    def _add(self, change: float, progress: Progress) -> None:
        self.committed_usd += change
        self.spent_usd += progress.spent_usd
        self.answered += progress.answered
        self.failed += progress.failed


class MemoryPace:
    """Pace that remembers what was taken, and never waits."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    def wait_seconds(self, model_id: str, requests: int, per_minute: float, what: str) -> float:
        """Remember."""
        self.taken[what] += requests
        return 0.0


def _nothing() -> None:
    """Happen."""


class SteppingClock:
    """Clock that moves when someone waits."""

    def __init__(self, remaining_seconds: float = 900.0) -> None:
        self.time = NOW
        self.waited: list[float] = []
        self.on_wait: Callable[[], None] = _nothing
        self._remaining = remaining_seconds
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def remaining_seconds(self) -> float:
        """Return what is left of the invocation."""
        return self._remaining - sum(self.waited)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.waited.append(seconds)
            self.time += timedelta(seconds=seconds)
        if seconds > 0:
            self.on_wait()


class RunSurroundings:
    """Everything that an asker needs, to look into."""

    def __init__(
        self,
        behaviour: Behaviour = reply,
        *,
        cap_usd: float = 1.0,
        hours: float = 1.0,
        remaining_seconds: float = 900,
        output_tokens: int = 5,
    ) -> None:
        self.models = CountedModels(behaviour, output_tokens)
        self.book = MemoryBook()
        self.purse = MemoryPurse(cap_usd)
        self.pace = MemoryPace()
        self.clock = SteppingClock(remaining_seconds)
        self.deadline = NOW + timedelta(hours=hours)

    def asker(self) -> Asker:
        """Return a new asker, as a new invocation has."""
        return Asker(
            models=self.models,
            book=self.book,
            purse=self.purse,
            pace=self.pace,
            clock=self.clock,
            deadline=self.deadline,
            random=Random(0),  # noqa: S311 - waits, not secrets
        )


def questions(count: int, variant: ModelVariant = VARIANT) -> list[Asked]:
    """Return as many different cases to ask."""
    return [
        Asked(AnswerKey("nova", "facts", f"c{number}", 0), variant, Case(id=f"c{number}", prompt=f"question {number}"))
        for number in range(count)
    ]
