"""Whatever comes when, however often, whoever is in the way: nobody hears of anything twice, and all is told."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hallmark.alerts.conditions import Observation
from hallmark.alerts.grouping import GroupState
from hallmark.alerts.notifications import Notification
from hallmark.errors import NotFoundError, UnavailableError
from tests.fakes.memory_alerts import World
from tests.unit.alerts.observed import HOUR, MINUTE, NOON, SECOND, policy_of, seen

WAIT, INTERVAL = 30 * SECOND, 5 * MINUTE
MONITORS = ("a", "b", "c")
KINDS = ("DriftDetected", "MonitorFailed")
STEPS = (0, 1, 17, 30, 61, 299, 300, 480)
BY_ITSELF = frozenset({"escalation", "acknowledged"})
"""Reasons for which a receiver is told between two intervals."""


class Race:
    """Lets somebody else write a group just before one that read it does."""

    def __init__(self, world: World) -> None:
        self.save = world.store.save_group
        self.others: Callable[[str], None] | None = None

    def __call__(self, state: GroupState, revision: int) -> bool:
        others, self.others = self.others, None
        if others is not None:
            others(state.id)
        return self.save(state, revision)


class AnyOrder(RuleBasedStateMachine):
    """Events of three monitors for a quarter of an hour, and all that may happen to who tells of them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(policy_of(escalate=[{"after": "8 minutes", "receiver": "duty"}]))
        self.race = Race(self.world)
        self.world.store.save_group = self.race  # type: ignore[method-assign]
        self.now = NOON
        self.events: list[Observation] = []
        self.given: Counter[str] = Counter()

    @initialize(
        plan=st.lists(
            st.tuples(st.sampled_from(KINDS), st.sampled_from(MONITORS), st.sampled_from((True, True, False))),
            max_size=14,
        )
    )
    def plan(self, plan: Sequence[tuple[str, str, bool]]) -> None:
        self.events = [
            seen(bad, NOON + place * MINUTE, name=name, labels={"monitor": monitor}, id=f"e{place}")
            for place, (name, monitor, bad) in enumerate(plan)
        ]

    def _give(self, batch: Sequence[Observation]) -> None:
        self._try(lambda: self.world.engine.receive(batch, self.now))

    def _try(self, act: Callable[[], Any]) -> None:
        """Do something again until nobody is in the way, as SQS does."""
        for _ in range(10):
            try:
                act()
            except UnavailableError:
                continue
            return
        raise AssertionError("it never went through")

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Deliver some events that have happened, in any order, some of them again."""
        happened = [event for event in self.events if event.at <= self.now]
        if happened:
            batch = data.draw(st.lists(st.sampled_from(happened), min_size=1, max_size=6))
            self.given.update(event.id for event in batch)
            self._give(batch)

    @rule(seconds=st.sampled_from(STEPS))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        self._try(lambda: self.world.tick(self.now))

    @precondition(lambda self: self.world.store.groups)
    @rule(data=st.data())
    def look_again(self, data: st.DataObject) -> None:
        """A message that wakes a look may come early, late and twice."""
        group = data.draw(st.sampled_from(sorted(self.world.store.groups)))
        self._try(lambda: self.world.engine.look(group, self.now))

    @rule(times=st.integers(1, 2))
    def lose_sends(self, times: int) -> None:
        self.world.failing_sends = times

    @rule(late=st.sampled_from((0, 1, 300)))
    def be_in_the_way_by_looking(self, late: int) -> None:
        """Let another look come between the next one's reading and its writing."""
        self.race.others = lambda group: self._try(
            lambda: self.world.engine.look(group, self.now + timedelta(seconds=late))
        )

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def be_in_the_way_by_telling(self, data: st.DataObject) -> None:
        """Let an event come between the next look's reading and its writing."""
        event = data.draw(st.sampled_from(self.events))
        if event.at <= self.now:
            self.race.others = lambda _group: self._happen(event)

    def _happen(self, event: Observation) -> None:
        self.given[event.id] += 1
        self._give([event])

    @precondition(lambda self: self.world.sent)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        told = data.draw(st.sampled_from(self.world.sent))
        try:
            self._try(lambda: self.world.engine.acknowledge(told.group, "ada", "", self.now))
        except NotFoundError:
            return

    def teardown(self) -> None:
        """Deliver what was not delivered; then wait until nothing flaps any more."""
        self.race.others, self.world.failing_sends = None, 0
        self.now = max(self.now, NOON + 20 * MINUTE)
        self._give([event for event in self.events if not self.given[event.id]] or self.events)
        until = self.now + 3 * HOUR
        while self.now < until:
            self.now += MINUTE
            self.world.tick(self.now)
        told = list({each.id: each for each in self.world.sent}.values())
        self._nothing_is_told_twice(told)
        self._everything_is_told(told)

    def _nothing_is_told_twice(self, told: Sequence[Notification]) -> None:
        assert all(each in told for each in self.world.sent), "a repeat says the same"
        slots = Counter((each.thread_key, each.receiver, _slot(each)) for each in told if each.reason not in BY_ITSELF)
        assert not [slot for slot, count in slots.items() if count > 1], slots
        escalations = Counter((each.thread_key, each.receiver) for each in told if each.reason == "escalation")
        assert all(count <= self._rounds(key, told) for key, count in escalations.items()), escalations
        assert all(each.firing or each.resolved for each in told)
        said = {json.dumps(each["Detail"]) for each in self.world.published if each["DetailType"] == "AlertEscalated"}
        assert len(said) == escalations.total()

    @staticmethod
    def _rounds(key: tuple[str, str], told: Sequence[Notification]) -> int:
        """Return how often a receiver had heard the end of all, and could hear of it anew."""
        ends = [each for each in told if (each.thread_key, each.receiver) == key and each.status == "resolved"]
        return len(ends) + 1

    def _everything_is_told(self, told: Sequence[Notification]) -> None:
        firing = self._model()
        for receiver in ("mail", "duty"):
            known = _known(told, receiver)
            assert not [each for each in known.values() if each == "an end without a beginning"]
            if receiver == "mail":
                assert {name for name, status in known.items() if status == "firing"} == firing
            else:
                assert {name for name, status in known.items() if status == "firing"} <= firing
        kinds = {event.name for event in self.events if event.fingerprint in firing}
        for state, _ in self.world.store.groups.values():
            assert (state.due_at is not None) == (dict(state.key.labels)["name"] in kinds)
            assert not state.outbox

    def _model(self) -> set[str]:
        """Return which conditions fire at the end: those of which the last word was bad."""
        last: dict[str, bool] = {}
        for event in sorted(self.events, key=lambda each: each.at):
            last[event.fingerprint] = event.bad
        return {fingerprint for fingerprint, bad in last.items() if bad}


def _slot(told: Notification) -> int:
    opened = datetime.strptime(told.thread_key.rpartition("/")[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return (told.created_at - opened - WAIT) // INTERVAL


def _known(told: Sequence[Notification], receiver: str) -> Mapping[str, str]:
    """Return what a receiver knows of each condition, from all that it was told."""
    known: dict[str, str] = defaultdict(str)
    for each in sorted(
        (one for one in told if one.receiver == receiver), key=lambda one: (one.created_at, one.sequence)
    ):
        for alert in each.alerts:
            if alert.status == "resolved" and known[alert.fingerprint] != "firing":
                known[alert.fingerprint] = "an end without a beginning"
            else:
                known[alert.fingerprint] = alert.status
    return known


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
