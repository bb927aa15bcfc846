"""When a listing says nothing that is not recorded."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hallmark.lineage.listing import Listed
from hallmark.lineage.model import NodeKind, NodeRef, NodeState
from hallmark.lineage.ports import RecordedState
from hallmark.lineage.reconciliation import is_recorded
from tests.fakes.listed_account import PREFIX, START

JOB = f"{PREFIX}:training-job/train"
PACKAGE = f"{PREFIX}:model-package/churn/1"
MINUTE = timedelta(minutes=1)


def state(
    kind: NodeKind,
    status: str | None,
    at: datetime,
    born: datetime | None = START,
    **attributes: object,
) -> RecordedState:
    node = NodeRef(kind=kind, id=JOB if kind is NodeKind.TRAINING_JOB else PACKAGE, born=born)
    return RecordedState(NodeState(node=node, at=at, status=status, attributes=attributes), at)


def job(status: str, at: datetime, **more: object) -> RecordedState:
    return state(NodeKind.TRAINING_JOB, status, at, **more)  # type: ignore[arg-type] # keywords of the state


def listed(status: str, changed_at: datetime, created_at: datetime = START) -> Listed:
    return Listed(JOB, created_at, status, changed_at)


def test_nothing_is_recorded_of_what_was_never_seen() -> None:
    assert not is_recorded(NodeKind.TRAINING_JOB, listed("Completed", START), [])


@pytest.mark.parametrize(
    ("known", "told", "recorded"),
    [
        (job("Completed", START + MINUTE), listed("Completed", START + MINUTE), True),
        # A run that has ended does not change again, whatever time a listing tells.
        (job("Completed", START + MINUTE), listed("Completed", START + 2 * MINUTE), True),
        (job("InProgress", START + MINUTE), listed("Completed", START + MINUTE), False),
        (job("InProgress", START + MINUTE), listed("InProgress", START + 2 * MINUTE), False),
        (job("InProgress", START + MINUTE), listed("InProgress", START + MINUTE + timedelta(microseconds=999)), True),
        (job("InProgress", START + MINUTE), listed("InProgress", START + MINUTE + timedelta(milliseconds=1)), False),
        # The job was described no more when its event came; now it is listed.
        (job("Completed", START + MINUTE, event_only=True), listed("Completed", START + MINUTE), False),
        # Another job had this name before.
        (job("Completed", START + MINUTE), listed("Completed", START + MINUTE, START + timedelta(hours=1)), False),
        (
            job("Deleted", START + MINUTE, born=None),
            listed("Completed", START + 2 * MINUTE, START + timedelta(hours=1)),
            False,
        ),
        (job("Deleted", START + timedelta(hours=2), born=None), listed("Completed", START + MINUTE), True),
        (job("Deleted", START + timedelta(hours=2)), listed("Completed", START + MINUTE), True),
    ],
)
def test_a_run_is_recorded_when_its_status_and_its_life_are(known: RecordedState, told: Listed, recorded: bool) -> None:
    assert is_recorded(NodeKind.TRAINING_JOB, told, [known]) is recorded


def test_an_approval_that_came_back_is_not_taken_for_the_first_one() -> None:
    states = [
        state(NodeKind.MODEL_PACKAGE, "Completed", START + number * MINUTE, None, approval_status=approval)
        for number, approval in enumerate(["Approved", "Rejected"])
    ]
    told = Listed(PACKAGE, START, "Completed", traits=(("approval_status", "Approved"),))

    assert not is_recorded(NodeKind.MODEL_PACKAGE, told, states)
    assert is_recorded(NodeKind.MODEL_PACKAGE, told, states[:1])


def test_fractions_of_a_second_do_not_make_another_life() -> None:
    created_at = START.replace(microsecond=654321)

    assert is_recorded(
        NodeKind.TRAINING_JOB, listed("Completed", START + MINUTE, created_at), [job("Completed", START + MINUTE)]
    )
