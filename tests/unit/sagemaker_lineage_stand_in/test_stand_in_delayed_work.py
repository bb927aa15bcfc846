from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from local.sagemaker.lineage.delayed import DelayedWork
from tests.patience import PATIENCE_SECONDS


def test_work_is_done_in_order_after_the_delay_by_one_thread() -> None:
    done: list[tuple[int, float, str]] = []
    work: DelayedWork[int] = DelayedWork(
        lambda item: done.append((item, time.monotonic(), threading.current_thread().name)), 0.5
    )
    begun_at = time.monotonic()
    for item in range(20):
        work.put(item)

    assert done == []
    assert work.flush()
    assert [item for item, _, _ in done] == list(range(20))
    assert min(at for _, at, _ in done) >= begun_at + 0.5
    assert len({thread for _, _, thread in done}) == 1


def test_the_thread_ends_when_nothing_is_left_and_starts_again() -> None:
    threads: list[threading.Thread] = []
    work: DelayedWork[int] = DelayedWork(lambda _item: threads.append(threading.current_thread()), 0)
    for _ in range(2):
        work.put(1)
        assert work.flush()
        threads[-1].join(timeout=PATIENCE_SECONDS)

    assert [thread.is_alive() for thread in threads] == [False, False]


def test_what_is_discarded_is_not_done() -> None:
    done: list[int] = []
    work: DelayedWork[int] = DelayedWork(done.append, 0.5)
    work.put(1)

    work.discard()
    work.put(2)

    assert work.flush()
    assert done == [2]


def test_discarding_waits_for_what_is_being_done() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def act(item: int) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        done.append(item)

    work: DelayedWork[int] = DelayedWork(act, 0)
    work.put(1)
    assert begun.wait(PATIENCE_SECONDS)
    discarding = threading.Thread(target=work.discard)
    discarding.start()
    discarding.join(timeout=0.05)
    assert discarding.is_alive()

    go_on.set()
    discarding.join(timeout=PATIENCE_SECONDS)

    assert done == [1]
    assert not discarding.is_alive()


def test_an_error_in_one_item_is_told_and_does_not_stop_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    done: list[int] = []
    threads: list[threading.Thread] = []

    def act(item: int) -> None:
        threads.append(threading.current_thread())
        if item == 0:
            raise ValueError(item)
        done.append(item)

    work: DelayedWork[int] = DelayedWork(act, 0)
    work.put(0)
    assert work.flush()
    work.put(1)

    assert work.flush()
    assert done == [1]
    threads[0].join(timeout=PATIENCE_SECONDS)
    assert [each.exc_type for each in told] == [ValueError]


def test_waiting_gives_up_after_its_time() -> None:
    work: DelayedWork[Any] = DelayedWork(lambda _item: None, 60)
    work.put(1)

    assert not work.flush(0.01)
    work.discard()
