"""Functions that mirror at the same time share one budget, whatever fails between two of their calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from threading import Semaphore, Thread
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import UnavailableError
from hallmark.lineage.mirroring import PATIENCE, Entity, Mirrored, NewArtifact, NotMadeError, mirror
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin, RecordedFact
from tests.fakes.memory_lineage import MemoryBudget, MemoryLineage

PREFIX = "arn:aws:sagemaker:eu-west-1:123456789012"
BEGUN = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
_TURN_SECONDS = 10

Made = TypeVar("Made")


class Fault(StrEnum):
    """What becomes of one call of SageMaker."""

    REFUSED = "nothing was made, and the caller is told so"
    LOST = "it was made, and the caller is not told so"
    NOT_HEARD = "nothing was made, and the caller is not told so"
    CRASH = "the caller is gone before the call"
    LATE_CRASH = "the caller is gone after the call"


class CrashError(BaseException):
    """The process is gone."""


class Worker:
    """Mirrors one fact, one call at a time: it waits for its turn before each."""

    def __init__(self, fact: Fact, target: MemoryLineage, budget: MemoryBudget, faults: Iterator[Fault | None]) -> None:
        self._fact = fact
        self._target = target
        self._budget = budget
        self._faults = faults
        self._go, self._gone = Semaphore(0), Semaphore(0)
        self.is_done = False
        self.result: Mirrored | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let the worker make one call."""
        self._go.release()
        assert self._gone.acquire(timeout=_TURN_SECONDS)

    def _run(self) -> None:
        self._go.acquire()
        try:
            self.result = mirror(RecordedFact(fact=self._fact, recorded_at=BEGUN), self, self, BEGUN + PATIENCE)
        except (UnavailableError, CrashError):
            self.result = None
        finally:
            self.is_done = True
            self._gone.release()

    def _turn(self) -> None:
        self._gone.release()
        self._go.acquire()

    # --- LineageMirror ---

    def find_artifact(self, source_uri: str) -> str | None:
        self._turn()
        return self._target.find_artifact(source_uri)

    def create_artifact(self, artifact: NewArtifact) -> tuple[str, bool]:
        return self._make(lambda: self._target.create_artifact(artifact))

    def associate(self, source_arn: str, target_arn: str, kind: EdgeType) -> bool:
        return self._make(lambda: self._target.associate(source_arn, target_arn, kind))

    def describe(self, artifact_arn: str, properties: Mapping[str, str]) -> bool:
        self._turn()
        return self._target.describe(artifact_arn, properties)

    def _make(self, make: Callable[[], Made]) -> Made:
        self._turn()
        fault = next(self._faults, None)
        if fault is Fault.REFUSED:
            raise NotMadeError("ThrottlingException")
        if fault is Fault.NOT_HEARD:
            raise UnavailableError("timed out")
        if fault is Fault.CRASH:
            raise CrashError
        made = make()
        if fault is Fault.LOST:
            raise UnavailableError("timed out")
        if fault is Fault.LATE_CRASH:
            raise CrashError
        return made

    # --- Budget ---

    def take(self, entity: Entity) -> bool:
        self._turn()
        return self._budget.take(entity)

    def give_back(self, entity: Entity) -> None:
        self._turn()
        self._budget.give_back(entity)


def job(number: int, features: tuple[int, ...]) -> Fact:
    """A processing job that read some feature groups; several jobs may read the same."""
    arn = f"{PREFIX}:processing-job/job-{number}"
    subject = NodeRef(kind=NodeKind.PROCESSING_JOB, id=arn, born=BEGUN)
    sources = [
        NodeRef(kind=NodeKind.FEATURE_GROUP, id=f"{PREFIX}:feature-group/group-{feature}") for feature in features
    ]
    return Fact(
        subject=subject,
        origin=Origin.DESCRIBED,
        states=(NodeState(node=subject, at=BEGUN, status="Completed", attributes={"arn": arn}),),
        edges=tuple(
            Edge(source=source, target=subject, type=EdgeType.CONTRIBUTED_TO, valid_from=BEGUN) for source in sources
        ),
    )


def components(count: int) -> list[str]:
    prefix = f"component:{PREFIX}:experiment-trial-component"
    return [f"{prefix}/job-{number}-aws-processing-job" for number in range(count)]


JOBS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True).map(tuple), min_size=1, max_size=4)
FAULTS = st.lists(st.sampled_from([None, None, *Fault]), max_size=12)


@settings(max_examples=80, deadline=None)
@given(
    groups=JOBS,
    repeats=st.integers(1, 2),
    order=st.lists(st.integers(0, 7), max_size=80),
    faults=FAULTS,
    artifacts=st.integers(0, 6),
    associations=st.integers(0, 10),
)
def test_however_their_calls_interleave_and_fail_the_budget_is_not_overspent(
    groups: list[tuple[int, ...]],
    repeats: int,
    order: list[int],
    faults: list[Fault | None],
    artifacts: int,
    associations: int,
) -> None:
    target, budget = MemoryLineage(*components(len(groups))), MemoryBudget(artifacts, associations)
    injected = iter(faults)
    facts = [job(number, features) for number, features in enumerate(groups)]
    workers = [Worker(fact, target, budget, injected) for fact in facts * repeats]
    turns = iter(order)

    while running := [worker for worker in workers if not worker.is_done]:
        running[next(turns, 0) % len(running)].step()
        assert len(target.made) <= budget.spent["artifact"] <= artifacts
        assert len(target.associations) <= budget.spent["association"] <= associations

    if set(faults) <= {None, Fault.REFUSED}:
        assert budget.spent == {"artifact": len(target.made), "association": len(target.associations)}


@settings(max_examples=40, deadline=None)
@given(groups=JOBS, order=st.lists(st.integers(0, 7), max_size=60), faults=FAULTS)
def test_what_failed_is_complete_once_it_is_delivered_again(
    groups: list[tuple[int, ...]], order: list[int], faults: list[Fault | None]
) -> None:
    facts = [job(number, features) for number, features in enumerate(groups)]
    whole = MemoryLineage(*components(len(groups)))
    for fact in facts:
        mirror(RecordedFact(fact=fact, recorded_at=BEGUN), whole, MemoryBudget(), BEGUN)
    target, budget = MemoryLineage(*components(len(groups))), MemoryBudget()
    injected, turns = iter(faults), iter(order)
    workers = [Worker(fact, target, budget, injected) for fact in facts]
    while running := [worker for worker in workers if not worker.is_done]:
        running[next(turns, 0) % len(running)].step()

    for fact in facts:
        mirror(RecordedFact(fact=fact, recorded_at=BEGUN), target, budget, BEGUN)

    assert target.linked() == whole.linked()
    assert target.artifacts == whole.artifacts
