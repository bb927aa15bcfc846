"""Wherever a sweep is broken off, what it leads to is the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.lineage.reconciliation import read_sweep
from tests.fakes.listed_account import (
    EXECUTION,
    START,
    Desk,
    endpoint,
    execution,
    expired,
    package,
    step,
    training_job,
    transform_job,
)


class CrashError(Exception):
    """The function died."""


def account_of(numbers: list[int], page_size: int) -> Desk:
    desk = Desk(page_size=page_size)
    makers: list[Callable[[int], object]] = [
        lambda number: training_job(f"train-{number}", at=START + timedelta(minutes=number)),
        lambda number: transform_job(f"score-{number}", at=START + timedelta(minutes=number)),
        lambda number: package(number + 1, approval="Approved", at=START + timedelta(minutes=number)),
        lambda number: endpoint(f"live-{number}", at=START + timedelta(minutes=number)),
        lambda _number: execution(),
    ]
    for position, choice in enumerate(numbers):
        desk.account.add(makers[choice](position))  # type: ignore[arg-type] # each makes a resource
    desk.account.steps_of[EXECUTION] = [step("train-0"), step("train-1")]
    return desk


ACCOUNTS = st.lists(st.integers(0, 4), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    numbers=ACCOUNTS,
    page_size=st.integers(1, 4),
    crashes=st.lists(st.integers(1, 60), max_size=4),
    describes=st.integers(1, 5),
    requests=st.integers(3, 12),
)
def test_a_sweep_that_dies_at_any_call_and_goes_on_from_its_last_message_loses_nothing(
    numbers: list[int], page_size: int, crashes: list[int], describes: int, requests: int
) -> None:
    whole = account_of(numbers, page_size)
    whole.sweep()

    broken = account_of(numbers, page_size)
    message = broken.begin().model_dump_json(exclude_defaults=True)
    calls = 0

    def crash(_call: str, _what: str) -> None:
        nonlocal calls
        calls += 1
        if crashes and calls >= crashes[0]:
            crashes.pop(0)
            calls = 0
            raise CrashError

    broken.account.refuse = crash
    for _ in range(200):
        sweep = read_sweep(message)
        if not sweep.kinds:
            break
        try:
            message = broken.step(sweep, describes=describes, requests=requests).model_dump_json(exclude_defaults=True)
        except CrashError:
            continue

    assert read_sweep(message).kinds == ()
    assert broken.store.snapshot() == whole.store.snapshot()
    assert broken.cursors.kept == whole.cursors.kept


@settings(max_examples=40, deadline=None)
@given(numbers=ACCOUNTS, page_size=st.integers(1, 4), repeats=st.lists(st.integers(0, 20), max_size=4))
def test_a_message_that_is_delivered_again_changes_nothing(
    numbers: list[int], page_size: int, repeats: list[int]
) -> None:
    desk = account_of(numbers, page_size)
    desk.sweep(describes=2, requests=5)
    before = desk.store.snapshot()

    for number in repeats:
        message = read_sweep(desk.messages[number % len(desk.messages)])
        if message.kinds:
            desk.step(message)

    assert desk.store.snapshot() == before


@settings(max_examples=40, deadline=None)
@given(numbers=ACCOUNTS, expiries=st.lists(st.integers(1, 15), max_size=3))
def test_tokens_that_expire_now_and_then_lose_nothing(numbers: list[int], expiries: list[int]) -> None:
    whole = account_of(numbers, 2)
    whole.sweep()
    broken = account_of(numbers, 2)
    listings = 0

    def expire(call: str, what: str) -> None:
        nonlocal listings
        listings += call == "list"
        if call == "list" and " " in what and expiries and listings >= expiries[0]:
            expiries.pop(0)
            raise expired(what)

    broken.account.refuse = expire

    broken.sweep()

    assert broken.store.snapshot() == whole.store.snapshot()
