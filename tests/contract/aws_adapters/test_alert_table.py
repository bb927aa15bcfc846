"""The same contract on DynamoDB (moto) and on the store in memory that the tests of the engine use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from hallmark.alerts.conditions import AlertRecord, observe, record_of
from hallmark.alerts.engine import Engine
from hallmark.alerts.grouping import GroupState, open_group
from hallmark.alerts.ports import AlertStore, RecordWrite
from hallmark.alerts.routing import GroupKey, Routes
from hallmark.alerts.silences import make_silence
from hallmark.aws.alert_table import INHIBITORS_INDEX, LISTS_INDEX, DynamoAlerts
from infra.constructs import alert_storage
from tests.fakes.memory_alerts import MemoryAlerts, World
from tests.unit.alerts.observed import HOUR, MINUTE, NOON, policy_of, seen

TABLE = "alerts"


def create_table(client: Any) -> None:
    """Create it as the stack does."""
    names = ("pk", "sk", "list", "list_at", "inhibits")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": order, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index, partition, order in ((LISTS_INDEX, "list", "list_at"), (INHIBITORS_INDEX, "inhibits", "pk"))
        ],
    )


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> AlertStore:
    if request.param == "memory":
        return MemoryAlerts()
    client = request.getfixturevalue("dynamodb")
    create_table(client)
    return DynamoAlerts(TABLE, client)


def record(place: int = 0) -> AlertRecord:
    look = seen(True, labels={"monitor": f"m{place}"})
    return observe(record_of(look), [look])


def group(place: int = 0, at: datetime = NOON) -> GroupState:
    key = GroupKey("root", "mail", (("name", f"n{place}"),))
    return open_group(key, Routes(policy_of()).root, at)


def test_the_indexes_have_the_names_that_the_stack_gives_them() -> None:
    assert (LISTS_INDEX, INHIBITORS_INDEX) == (alert_storage.LISTS_INDEX, alert_storage.INHIBITORS_INDEX)


def test_of_two_who_write_the_same_revision_the_first_one_wins(store: AlertStore) -> None:
    def save(revision: int) -> list[bool]:
        return list(store.save_records([RecordWrite(record(), revision, NOON, False)]))

    assert [save(0), save(0), save(1), save(1)] == [[True], [False], [True], [False]]
    kept = store.records([record().fingerprint, "unknown"])
    assert list(kept.values()) == [(record(), 2)]


def test_of_many_records_all_are_written_but_those_that_others_wrote_meanwhile(store: AlertStore) -> None:
    taken = {3, 107}
    store.save_records([RecordWrite(record(place), 0, NOON, False) for place in sorted(taken)])

    done = store.save_records([RecordWrite(record(place), 0, NOON, False) for place in range(230)])

    assert [place for place, saved in enumerate(done) if not saved] == sorted(taken)
    kept = store.records([record(place).fingerprint for place in range(230)])
    assert {revision for _, revision in kept.values()} == {1}
    assert len(kept) == 230


def test_open_alerts_are_listed_the_latest_first_until_they_end(store: AlertStore) -> None:
    assert all(
        store.save_records([RecordWrite(record(place), 0, NOON + place * MINUTE, place == 0) for place in range(6)])
    )
    store.save_records([RecordWrite(record(5), 1, None, False)])

    assert [each.labels["monitor"] for each in store.open_records(3)] == ["m4", "m3", "m2"]
    assert [labels["monitor"] for labels in store.inhibitors()] == ["m0"]
    store.save_records([RecordWrite(record(0), 1, None, False)])
    assert list(store.inhibitors()) == []


def test_a_group_is_due_at_its_time_and_while_something_waits_to_be_sent(store: AlertStore) -> None:
    early, late = group(0), group(1, NOON + HOUR)
    assert store.save_group(early, 0)
    assert store.save_group(late, 0)
    assert not store.save_group(late, 0)

    assert store.group(early.id) == (early, 1)
    assert store.group("0" * 16) is None
    assert store.due_groups(NOON, 10) == []
    assert store.due_groups(NOON + MINUTE, 10) == [early.id]
    assert store.due_groups(NOON + 2 * HOUR, 1) == [early.id]
    store.save_group(early.model_copy(update={"due_at": None}), 1)
    assert store.due_groups(NOON + 2 * HOUR, 10) == [late.id]


def test_of_two_who_take_a_turn_at_a_time_one_has_to_look_again(store: AlertStore) -> None:
    assert store.beginnings("root/mail") == ((), 0)
    assert [store.save_beginnings("root/mail", (NOON,), 0) for _ in range(2)] == [True, False]
    assert store.save_beginnings("root/mail", (NOON, NOON + MINUTE), 1)

    assert store.beginnings("root/mail") == ((NOON, NOON + MINUTE), 2)
    assert store.beginnings("root/chat") == ((), 0)


def test_members_join_once_and_leave(store: AlertStore) -> None:
    names = [f"{place:016x}" for place in range(60)]
    store.join([("a", name) for name in [*names, names[0]]])
    store.join([("b", names[0])])
    store.leave("a", names[:30])

    assert list(store.members("a")) == names[30:]
    assert list(store.members("b")) == names[:1]
    assert list(store.members("c")) == []


def test_silences_are_kept_and_replaced_by_their_id(store: AlertStore) -> None:
    silence = make_silence({"name": ("x",)}, "ada", "why", NOON, HOUR)
    store.save_silence(silence)
    store.save_silence(silence.model_copy(update={"ends_at": NOON}))

    assert [each.ends_at for each in store.silences()] == [NOON]


def test_a_large_group_is_kept_whole(store: AlertStore) -> None:
    # As names that are hashes are: nothing of one is found in another one.
    names = [hashlib.sha256(str(place).encode()).hexdigest()[:16] for place in range(30_000)]
    firing = {name: NOON + place % 4 * MINUTE for place, name in enumerate(names)}
    told = {receiver: {"at": NOON, "firing": firing} for receiver in ("mail", "chat", "duty")}
    large = GroupState.model_validate({**group().model_dump(), "told": told})

    assert store.save_group(large, 0)
    assert store.group(large.id) == (large, 1)


def test_the_engine_tells_on_dynamodb_what_it_tells_in_memory(dynamodb: Any) -> None:
    create_table(dynamodb)
    memory, table = World(policy_of()), World(policy_of())
    object.__setattr__(table.engine, "store", DynamoAlerts(TABLE, dynamodb))

    def live(engine: Engine, due: Callable[[datetime], Any]) -> None:
        for bad, minutes in ((True, 0), (True, 3), (False, 10), (True, 60)):
            at = NOON + timedelta(minutes=minutes)
            engine.receive([seen(bad, at, labels={"monitor": str(place)}) for place in range(30)], at)
            for name in due(at + 6 * MINUTE):
                engine.look(name, at + 6 * MINUTE)

    live(memory.engine, lambda now: memory.store.due_groups(now, 10))
    live(table.engine, lambda now: table.engine.store.due_groups(now, 10))

    assert table.sent == memory.sent
    assert [each.reason for each in memory.sent] == ["first", "resolved", "first"]
