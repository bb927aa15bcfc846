"""What was delivered and whose turn it is: the same contract on DynamoDB (moto) and in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hallmark.alerts.channels.delivering import Deliveries
from hallmark.aws.delivery_table import DeliveryTable
from tests.fakes.alert_channels import MemoryDeliveries, notification, resolved

TABLE = "deliveries"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(dynamodb: Any, clock: Clock) -> DeliveryTable:
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    return DeliveryTable(TABLE, dynamodb, clock)


@pytest.fixture(params=["memory", "dynamodb"])
def deliveries(request: pytest.FixtureRequest) -> Deliveries:
    if request.param == "memory":
        return MemoryDeliveries()
    found: Deliveries = request.getfixturevalue("table")
    return found


def test_one_has_it_until_it_is_sent_or_given_back(deliveries: Deliveries) -> None:
    told = notification("chat")

    assert (deliveries.claim(told), deliveries.claim(told)) == ("ours", "busy")
    deliveries.release(told)
    assert deliveries.claim(told) == "ours"
    deliveries.note(told)
    assert deliveries.claim(told) == "sent"


def test_what_is_older_than_what_was_sent_is_no_news(deliveries: Deliveries) -> None:
    deliveries.claim(resolved("duty", 2))
    deliveries.note(resolved("duty", 2))

    assert deliveries.claim(notification("duty", 1)) == "superseded"
    assert deliveries.claim(notification("duty", 3)) == "ours"
    assert deliveries.claim(notification("chat", 1)) == "ours"
    assert deliveries.claim(notification("duty", 1, thread_key="hallmark/other/20261128T142500")) == "ours"


def test_a_digest_is_news_however_late(deliveries: Deliveries) -> None:
    deliveries.claim(notification("chat", 2))
    deliveries.note(notification("chat", 2))

    assert deliveries.claim(notification("chat", 1, reason="digest")) == "ours"


def test_each_place_in_a_line_is_behind_the_one_before(deliveries: Deliveries) -> None:
    places = [deliveries.take_turn("slack#a", 1.0, 3.0) for _ in range(6)]

    assert places == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0, 4.0])
    assert deliveries.take_turn("slack#b", 1.0, 3.0) == 0.0


def test_nobody_in_a_line_has_a_turn_while_it_is_held(deliveries: Deliveries) -> None:
    deliveries.take_turn("slack#a", 1.0, 3.0)
    deliveries.hold("slack#a", 40.0)
    deliveries.hold("slack#a", 20.0)
    deliveries.hold("slack#new", 5.0)

    assert deliveries.take_turn("slack#a", 1.0, 3.0) == pytest.approx(40.0)
    assert deliveries.take_turn("slack#new", 1.0, 3.0) == pytest.approx(5.0)
    assert deliveries.take_turn("slack#b", 1.0, 3.0) == 0.0


def test_who_died_while_sending_gives_it_back_by_dying(table: DeliveryTable, clock: Clock) -> None:
    told = notification("chat")
    assert table.claim(told) == "ours"
    clock.seconds += 119
    assert table.claim(told) == "busy"
    clock.seconds += 2
    assert table.claim(told) == "ours"


def test_a_line_moves_with_time(table: DeliveryTable, clock: Clock) -> None:
    for _ in range(4):
        table.take_turn("slack#a", 1.0, 10.0)
    clock.seconds += 3.5

    assert table.take_turn("slack#a", 1.0, 10.0) == pytest.approx(0.5)
    clock.seconds += 100
    assert table.take_turn("slack#a", 1.0, 10.0) == 0.0


def test_no_two_have_the_same_place(table: DeliveryTable) -> None:
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda _: table.take_turn("slack#a", 1.0, 60.0), range(8)))

    assert sorted(places) == pytest.approx([float(place) for place in range(8)])
