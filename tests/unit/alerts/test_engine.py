from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.alerts.conditions import Context, Observation
from hallmark.alerts.grouping import GroupState
from hallmark.alerts.notifications import NamedNode, Notification
from hallmark.alerts.settings import Escalation
from hallmark.alerts.silences import make_silence
from hallmark.errors import NotFoundError, UnavailableError
from tests.fakes.memory_alerts import World
from tests.unit.alerts.observed import DAY, HOUR, MINUTE, NOON, SECOND, policy_of, seen

WAIT, INTERVAL, REPEAT = 30 * SECOND, 5 * MINUTE, 4 * HOUR
FIRST = NOON + WAIT


def told(notifications: list[Notification]) -> list[tuple[str, str, int, int]]:
    return [(each.receiver, each.reason, each.firing, each.resolved) for each in notifications]


def types(world: World) -> list[str]:
    return [str(each["DetailType"]) for each in world.published]


def test_a_violation_is_told_once_after_the_groups_wait() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)

    assert world.wakes[0][1] == FIRST
    assert world.tick(FIRST - SECOND) == []
    assert told(world.tick(FIRST)) == [("mail", "first", 1, 0)]
    assert world.tick(FIRST) == []
    assert world.tick(FIRST + INTERVAL) == []


def test_alerts_of_a_group_are_one_notification_and_later_ones_wait_for_its_interval() -> None:
    world = World(policy_of())
    for monitor in ("a", "b"):
        world.engine.receive([seen(True, labels={"monitor": monitor})], NOON)
    first = world.tick(FIRST)
    world.engine.receive([seen(True, labels={"monitor": "c"})], FIRST + SECOND)

    assert told(first) == [("mail", "first", 2, 0)]
    assert world.tick(FIRST + MINUTE) == []
    assert told(world.tick(FIRST + INTERVAL)) == [("mail", "new_alerts", 3, 0)]


def test_what_ends_before_the_wait_is_over_is_never_told() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.engine.receive([seen(False, NOON + SECOND)], NOON + SECOND)

    assert world.tick(FIRST) == []
    assert world.store.groups.popitem()[1].value.due_at is None
    assert types(world) == ["AlertFired", "AlertResolved"]


REJECTED = [seen(True), seen(False, NOON + SECOND, acted=True, summary="it was rejected")]


@pytest.mark.parametrize("batches", [[REJECTED[:1], REJECTED[1:]], [REJECTED], [REJECTED[1:], REJECTED[:1]]])
def test_what_was_acted_on_before_the_wait_is_over_is_told_first_and_its_end_after_that(
    batches: list[list[Observation]],
) -> None:
    world = World(policy_of())
    for batch in batches:
        world.engine.receive(batch, NOON)

    first = world.tick(FIRST)
    world.engine.receive(REJECTED, FIRST + SECOND)
    ended = world.tick(FIRST + INTERVAL)

    assert (told(first), told(ended)) == ([("mail", "first", 1, 0)], [("mail", "resolved", 0, 1)])
    assert [each.alerts[0].summary for each in (*first, *ended)] == ["it was rejected", "it was rejected"]
    assert (
        first[0].alerts[0].id == ended[0].alerts[0].id == f"hallmark:alert/{REJECTED[0].fingerprint}@20261104T120000Z"
    )
    assert types(world) == ["AlertFired", "AlertResolved"]
    world.engine.receive(REJECTED, NOON + HOUR)
    assert world.tick(NOON + HOUR + INTERVAL) == []


@pytest.mark.parametrize("reason", ["muted", "less severe than the receiver asks for"])
def test_what_was_acted_on_and_nobody_is_to_hear_of_ends_its_group(reason: str) -> None:
    world = World(policy_of(**({"receiver": "duty"} if reason.startswith("less") else {})))
    if reason == "muted":
        world.store.save_silence(make_silence({"subject": ("live",)}, "ada", "a test", NOON, HOUR))
    for observation in REJECTED:
        world.engine.receive([observation.model_copy(update={"severity": "info"})], NOON)

    assert world.tick(FIRST) == []
    assert world.store.groups.popitem()[1].value.due_at is None


def test_an_end_is_told_once_and_ends_the_group() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST)
    world.engine.receive([seen(False, NOON + MINUTE)], NOON + MINUTE)

    ended = world.tick(FIRST + INTERVAL)

    assert told(ended) == [("mail", "resolved", 0, 1)]
    assert ended[0].alerts[0].summary == "it is well"
    assert ended[0].thread_key == world.sent[0].thread_key
    assert all(world.tick(FIRST + place * INTERVAL) == [] for place in range(2, 60))


def test_what_fires_again_after_its_end_is_a_new_alert_in_a_new_thread() -> None:
    world = World(policy_of())
    for bad, at in ((True, NOON), (False, NOON + 10 * MINUTE), (True, NOON + HOUR)):
        world.engine.receive([seen(bad, at)], at)
        world.tick(at + INTERVAL + WAIT)
    again = world.tick(NOON + HOUR + 3 * INTERVAL)

    assert [each.reason for each in world.sent] == ["first", "resolved", "first"]
    assert again == []
    assert len({each.id for each in world.sent}) == 3
    assert world.sent[2].thread_key != world.sent[0].thread_key
    assert world.sent[2].alerts[0].id != world.sent[0].alerts[0].id
    assert world.sent[2].alerts[0].fingerprint == world.sent[0].alerts[0].fingerprint


def test_what_goes_on_is_repeated_and_what_somebody_has_is_not() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST)

    assert world.tick(FIRST + REPEAT - INTERVAL) == []
    assert told(world.tick(FIRST + REPEAT)) == [("mail", "repeat", 1, 0)]
    world.engine.acknowledge(world.sent[0].group, "ada", "on it", FIRST + REPEAT)
    assert world.tick(FIRST + 2 * REPEAT) == []
    assert types(world).count("AlertAcknowledged") == 1


def test_what_lasts_for_long_began_when_it_began() -> None:
    world = World(policy_of(group_interval="1 hour", repeat_interval="1 day"))
    for place in range(100):
        world.engine.receive([seen(True, NOON + place * HOUR)], NOON + place * HOUR)
        world.tick(NOON + place * HOUR + WAIT)
    over = NOON + 100 * HOUR
    world.engine.receive([seen(False, over)], over)
    world.tick(over + WAIT)
    # The next one is a new one, however many come at a time.
    world.engine.receive([seen(True, over + DAY + place * SECOND) for place in range(70)], over + DAY + 2 * MINUTE)
    world.tick(over + DAY + 5 * MINUTE)

    *lasting, new = world.sent
    assert {each.alerts[0].starts_at for each in lasting} == {NOON}
    assert lasting[-1].status == "resolved"
    assert new.alerts[0].starts_at > over


def test_a_late_look_keeps_the_groups_rhythm() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST + 90 * SECOND)
    state = next(iter(world.store.groups.values())).value

    assert state.due_at == FIRST + INTERVAL


def test_an_event_that_comes_late_does_not_fire_what_is_over() -> None:
    world = World(policy_of())
    world.engine.receive([seen(False, NOON)], NOON)
    world.engine.receive([seen(True, NOON - MINUTE)], NOON + SECOND)

    assert world.store.groups == {}
    assert world.published == []


def test_what_comes_and_goes_is_held_as_firing_until_it_stays_away() -> None:
    world = World(policy_of(group_interval="1 minute"))
    for place in range(40):
        at = NOON + place * MINUTE
        world.engine.receive([seen(place % 2 == 0, at)], at)
        world.tick(at + 31 * SECOND)
    flapping = [each.reason for each in world.sent]
    last = NOON + 39 * MINUTE

    assert flapping[:3] == ["first", "resolved", "first"]
    assert len(flapping) <= 4
    assert told(world.tick(last + 29 * MINUTE)) == []
    assert told(world.tick(last + 31 * MINUTE)) == [("mail", "resolved", 0, 1)]


def test_nobody_has_it_so_the_next_tier_is_told_and_then_the_one_after() -> None:
    steps = [{"after": "15 minutes", "receiver": "chat"}, {"after": "30 minutes", "receiver": "duty"}]
    world = World(policy_of(escalate=steps))
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST)

    assert world.tick(FIRST + 15 * MINUTE - SECOND) == []
    (chat,) = world.tick(FIRST + 15 * MINUTE)
    assert (chat.receiver, chat.reason, chat.escalated_from, chat.channel) == ("chat", "escalation", "mail", "slack")
    assert told(world.tick(FIRST + 30 * MINUTE)) == [("duty", "escalation", 1, 0)]
    assert types(world).count("AlertEscalated") == 2
    world.engine.receive([seen(False, NOON + HOUR)], NOON + HOUR)
    assert {each.receiver for each in world.tick(NOON + HOUR + INTERVAL)} == {"mail", "chat", "duty"}


def test_who_acknowledges_stops_the_escalation() -> None:
    world = World(policy_of(escalate=[{"after": "15 minutes", "receiver": "duty"}]))
    world.engine.receive([seen(True)], NOON)
    (first,) = world.tick(FIRST)
    noted = world.engine.acknowledge(first.alerts[0].id, "ada", "on it", FIRST + MINUTE)
    again = world.engine.acknowledge(first.alerts[0].fingerprint, "bob", "me too", FIRST + 2 * MINUTE)

    assert noted[0].acknowledged == again[0].acknowledged
    assert world.tick(FIRST + 15 * MINUTE) == []
    world.engine.receive([seen(False, NOON + HOUR)], NOON + HOUR)
    assert {each.receiver for each in world.tick(NOON + HOUR + INTERVAL)} == {"mail"}


def test_a_pager_is_told_at_once_and_once_that_somebody_has_it() -> None:
    world = World(policy_of(escalate=[{"after": "15 minutes", "receiver": "duty"}]))
    world.engine.receive([seen(True, labels={"monitor": each}) for each in ("a", "b")], NOON)
    world.tick(FIRST)
    at = FIRST + 15 * MINUTE
    (paged,) = (each for each in world.tick(at) if each.receiver == "duty")

    world.engine.acknowledge(paged.alerts[0].id, "ada", "on it", at + SECOND)
    assert world.tick(at + SECOND) == []  # one of the two is still nobody's
    world.engine.acknowledge(paged.group, "grace", "", at + 2 * SECOND)
    (said,) = world.tick(at + 2 * SECOND)
    world.engine.acknowledge(paged.group, "bob", "me, too", at + 3 * SECOND)

    assert (said.receiver, said.reason, said.status, said.thread_key) == (
        "duty",
        "acknowledged",
        "firing",
        paged.thread_key,
    )
    assert {each.acknowledged_by for each in said.alerts} == {"ada", "grace"}
    assert world.tick(at + 3 * SECOND) == []
    assert all(world.tick(at + place * INTERVAL) == [] for place in range(1, 60))
    # What joins is nobody's again.
    later = at + 6 * HOUR
    world.engine.receive([seen(True, later, labels={"monitor": "c"})], later)
    assert [each.reason for each in world.tick(later + INTERVAL) if each.receiver == "mail"] == ["new_alerts"]
    (again,) = world.tick(later + INTERVAL + 15 * MINUTE)
    assert (again.receiver, again.reason) == ("duty", "new_alerts")
    world.engine.acknowledge(again.group, "ada", "", later + HOUR)
    assert [each.reason for each in world.tick(later + HOUR)] == ["acknowledged"]


def test_only_pagers_are_told_of_it_and_no_rhythm_changes() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST)
    before = world.store.groups.copy()
    world.engine.acknowledge(world.sent[0].group, "ada", "", FIRST + SECOND)

    assert world.store.groups == before


def test_an_escalation_is_due_between_two_intervals() -> None:
    world = World(policy_of(escalate=[Escalation(after=7 * MINUTE, receiver="duty").model_dump()]))
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST)
    world.tick(FIRST + INTERVAL)
    world.engine.receive([seen(True, labels={"monitor": "late"})], FIRST + 6 * MINUTE)

    assert told(world.tick(FIRST + 7 * MINUTE)) == [("duty", "escalation", 1, 0)]
    assert told(world.tick(FIRST + 2 * INTERVAL))[0] == ("mail", "new_alerts", 2, 0)


def test_nothing_that_fires_has_that_name() -> None:
    with pytest.raises(NotFoundError, match="no alert or group nothing fires"):
        World(policy_of()).engine.acknowledge("nothing", "ada", "", NOON)


def test_a_silence_mutes_and_what_still_fires_at_its_end_is_told() -> None:
    world = World(policy_of())
    world.store.save_silence(make_silence({"name": ("Drift*",)}, "ada", "known", NOON, HOUR))
    world.engine.receive([seen(True)], NOON)

    assert all(world.tick(FIRST + place * INTERVAL) == [] for place in range(11))
    assert told(world.tick(FIRST + HOUR)) == [("mail", "first", 1, 0)]


def test_an_end_passes_the_silence_that_began_after_the_alert_was_told() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST)
    world.store.save_silence(make_silence({"name": ("Drift*",)}, "ada", "known", FIRST, HOUR))
    world.engine.receive([seen(False, NOON + MINUTE)], NOON + MINUTE)

    assert told(world.tick(FIRST + INTERVAL)) == [("mail", "resolved", 0, 1)]


def test_an_endpoint_that_is_down_mutes_its_drift_and_no_other() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True, name="EndpointDown", labels={"subject": "live"}, severity="critical")], NOON)
    world.engine.receive([seen(True), seen(True, labels={"subject": "other"})], NOON)
    sent = world.tick(FIRST)

    assert sorted((each.alerts[0].name, each.firing) for each in sent) == [("DriftDetected", 1), ("EndpointDown", 1)]
    world.engine.receive([seen(False, NOON + MINUTE, name="EndpointDown", labels={"subject": "live"})], NOON + MINUTE)
    assert ("mail", "new_alerts", 2, 0) in told(world.tick(FIRST + INTERVAL))


def test_quiet_hours_hold_all_but_critical_alerts() -> None:
    night = NOON + 8 * HOUR  # 21:00 in Berlin
    world = World(policy_of(active_times=["office"]))
    world.engine.receive([seen(True, night)], night)
    world.engine.receive([seen(True, night, labels={"monitor": "b"}, severity="critical")], night)

    assert told(world.tick(night + WAIT)) == [("mail", "first", 1, 0)]
    early = datetime(2026, 11, 9, 7, 30, tzinfo=night.tzinfo)  # Monday, 08:30 in Berlin
    assert told(world.tick(early)) == [("mail", "repeat", 1, 0)]
    assert told(world.tick(early + HOUR)) == [("mail", "new_alerts", 2, 0)]


def test_what_is_new_beyond_a_routes_budget_is_one_notification() -> None:
    world = World(policy_of(group_by=["monitor"], budget={"at_most": 2, "per": "1 hour"}))
    for place in range(6):
        world.engine.receive([seen(True, labels={"monitor": f"m{place}"})], NOON)

    first = world.tick(FIRST)

    assert sorted(told(first)) == [("mail", "first", 1, 0), ("mail", "first", 1, 0), ("mail", "first", 4, 0)]
    assert {alert.labels["monitor"] for each in first for alert in each.alerts} == {f"m{place}" for place in range(6)}
    # What goes on to fire stays where it was told, whatever room there is now; what is new has room again.
    later = NOON + HOUR + MINUTE
    for place in range(7):
        world.engine.receive([seen(True, later, labels={"monitor": f"m{place}"})], later)
    assert told(world.tick(later + WAIT)) == [("mail", "first", 1, 0)]
    # The end of what was folded is told where its beginning was.
    world.engine.receive([seen(False, later + MINUTE, labels={"monitor": "m5"})], later + MINUTE)
    assert told(world.tick(later + 2 * INTERVAL)) == [("mail", "resolved", 3, 1)]


def test_a_group_that_is_told_of_already_costs_no_budget() -> None:
    world = World(policy_of(group_by=["name"], budget={"at_most": 1}))
    for place in range(5):
        world.engine.receive([seen(True, labels={"monitor": f"m{place}"})], NOON + place * SECOND)

    assert told(world.tick(FIRST)) == [("mail", "first", 5, 0)]


def test_a_storm_in_one_batch_takes_one_turn_for_each_group() -> None:
    world = World(policy_of(group_by=["monitor"], budget={"at_most": 3}))
    storm = [seen(True, labels={"monitor": f"m{place % 10}", "subject": f"s{place}"}) for place in range(100)]
    world.engine.receive(storm, NOON)

    sent = world.tick(FIRST)

    assert sorted(each.firing for each in sent) == [10, 10, 10, 70]


def test_a_digest_tells_once_a_day_what_began_and_what_is_over() -> None:
    world = World(policy_of(digest={"at": "08:00"}))
    world.engine.receive([seen(True)], NOON)
    world.engine.receive([seen(True, labels={"monitor": "short"})], NOON)
    world.engine.receive([seen(False, NOON + MINUTE, labels={"monitor": "short"})], NOON + MINUTE)
    morning = NOON + 20 * HOUR

    assert world.tick(morning - SECOND) == []
    assert told(world.tick(morning)) == [("mail", "digest", 1, 1)]
    assert world.tick(morning + HOUR) == []
    assert told(world.tick(morning + DAY)) == [("mail", "digest", 1, 0)]


def test_a_receiver_hears_of_nothing_less_severe_than_it_asks_for() -> None:
    world = World(policy_of(receiver="duty"))
    world.engine.receive([seen(True, severity="warning")], NOON)

    assert world.tick(FIRST) == []


def test_owners_are_told_beside_the_operations_also_those_that_only_lineage_knows() -> None:
    policy = policy_of().model_copy(update={"owners": {"ada": "chat"}})
    context = Context(affected=(NamedNode(node="n", kind="endpoint", label="live"),), affected_count=3, owners=("ada",))
    world = World(policy, contexts={"arn:live": context})
    world.engine.receive([seen(True, labels={"monitor": "a"}, owners=("ada",))], NOON)
    world.engine.receive([seen(True, labels={"monitor": "b"}, subject="arn:live")], NOON)

    first = world.tick(FIRST)
    second = world.tick(FIRST + INTERVAL)

    assert sorted(told(first)) == [("chat", "first", 1, 0), ("mail", "first", 2, 0)]
    assert told(second) == [("chat", "new_alerts", 2, 0)]
    (mail,) = (each for each in first if each.receiver == "mail")
    assert [each.affected_count for each in mail.alerts if each.subject] == [3]


def test_an_alert_is_told_without_its_lineage_when_lineage_does_not_answer() -> None:
    world = World(policy_of(), contexts={})
    world.engine.receive([seen(True, subject="arn:live")], NOON)

    assert told(world.tick(FIRST)) == [("mail", "first", 1, 0)]
    assert "lineage does not answer" in world.warnings[0]


def test_what_was_decided_and_not_sent_is_sent_by_the_next_look_with_the_same_id() -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.failing_sends = 1
    with pytest.raises(UnavailableError):
        world.tick(FIRST)
    (waiting,) = next(iter(world.store.groups.values())).value.outbox

    (sent,) = world.tick(FIRST + SECOND)

    assert sent == waiting
    assert world.tick(FIRST + 2 * SECOND) == []


def test_what_joins_while_a_look_ends_its_group_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(policy_of())
    world.engine.receive([seen(True)], NOON)
    world.tick(FIRST)
    world.engine.receive([seen(False, NOON + MINUTE)], NOON + MINUTE)
    save, late = world.store.save_group, FIRST + INTERVAL

    def join_before(state: GroupState, revision: int) -> bool:
        monkeypatch.setattr(world.store, "save_group", save)
        world.engine.receive([seen(True, late, labels={"monitor": "late"})], late)
        return save(state, revision)

    monkeypatch.setattr(world.store, "save_group", join_before)

    assert told(world.tick(late)) == [("mail", "resolved", 0, 1)]
    assert told(world.tick(late + WAIT)) == [("mail", "first", 1, 0)]


def test_a_group_whose_route_is_gone_is_told_by_the_routes_that_there_are() -> None:
    world = World(policy_of(routes=[{"name": "drift", "match": {"name": "DriftDetected"}, "receiver": "chat"}]))
    world.engine.receive([seen(True)], NOON)
    object.__setattr__(world.engine, "policy", policy_of())

    assert world.tick(FIRST) == []
    assert told(world.tick(FIRST + WAIT)) == [("mail", "first", 1, 0)]


def test_lineage_is_told_of_the_alert_its_cause_and_its_end() -> None:
    world = World(policy_of())
    cause: Any = {"kind": "drift-report", "id": "hallmark:drift-report/1"}
    world.engine.receive([seen(True, cause=cause)], NOON)
    world.engine.receive([seen(False, NOON + MINUTE)], NOON + MINUTE)
    fired, resolved = (json.loads(str(each["Detail"])) for each in world.published)

    assert fired["lineage"]["node"]["id"] == resolved["lineage"]["node"]["id"] == fired["alert"]
    assert fired["lineage"]["flows"][0]["node"]["id"] == "hallmark:drift-report/1"
    assert (fired["lineage"]["status"], resolved["lineage"]["status"]) == ("Firing", "Resolved")


EVENTS = [
    seen(bad, NOON + place * SECOND, labels={"monitor": monitor})
    for monitor in ("a", "b", "c")
    for place, bad in enumerate((True, False, True))
] + [seen(True, NOON + MINUTE, name="MonitorFailed", labels={"monitor": "a"}, severity="warning")]


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Observation]]:
    """Draw batches: every event at least once, some again, in any order."""
    repeated = draw(st.lists(st.sampled_from(EVENTS), max_size=8))
    order = draw(st.permutations([*EVENTS, *repeated]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=5)))
    return [list(order[start:end]) for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]


@settings(max_examples=60, deadline=None)
@given(deliveries())
def test_any_order_and_repetition_is_one_notification_per_group_and_interval(batches: list[list[Observation]]) -> None:
    world = World(policy_of())
    for batch in batches:
        world.engine.receive(batch, NOON)
    first = world.tick(FIRST)
    for batch in batches:
        world.engine.receive(batch, FIRST + SECOND)

    assert sorted((each.alerts[0].name, *told([each])[0]) for each in first) == [
        ("DriftDetected", "mail", "first", 3, 0),
        ("MonitorFailed", "mail", "first", 1, 0),
    ]
    assert {alert.starts_at for each in first for alert in each.alerts} == {NOON + 2 * SECOND, NOON + MINUTE}
    assert world.tick(FIRST + INTERVAL) == []
    assert len({each.id for each in world.sent}) == 2
