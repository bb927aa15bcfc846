"""Every entry is published, said to be refused, or said to be left."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest

from hallmark.aws.eventbridge import EventPublisher
from hallmark.errors import InvalidInputError, UnavailableError
from tests.contract.aws_adapters.injection import FAULTS, Injection


class Bus:
    """EventBridge as moto answers it; what it does not take is decided by ``code_for``."""

    def __init__(self, session: botocore.session.Session) -> None:
        self.client: Any = session.create_client("events")
        self.requests: list[int] = []
        self.taken: list[int] = []
        self.codes: dict[int, list[str]] = {}
        self.client.meta.events.register("before-parameter-build.eventbridge.PutEvents", self._keep)
        self.client.meta.events.register("after-call.eventbridge.PutEvents", self._take)

    def _keep(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["numbers"] = [json.loads(entry["Detail"])["number"] for entry in params["Entries"]]
        assert sum(len(json.dumps(entry)) for entry in params["Entries"]) < 256 * 1024 or len(params["Entries"]) == 1

    def _take(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        numbers = context["numbers"]
        if "Entries" not in parsed:
            return
        self.requests.append(len(numbers))
        for place, number in enumerate(numbers):
            code = self.codes[number].pop(0) if self.codes.get(number) else None
            if code is None:
                self.taken.append(number)
            else:
                parsed["Entries"][place] = {"ErrorCode": code, "ErrorMessage": "as ordered"}
                parsed["FailedEntryCount"] = parsed.get("FailedEntryCount", 0) + 1


@pytest.fixture
def bus(aws: botocore.session.Session) -> Bus:
    return Bus(aws)


def entries(count: int, *, padding: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "EventBusName": "default",
            "Source": "hallmark",
            "DetailType": "LineageRecorded",
            "Detail": json.dumps({"number": number, "padding": "x" * padding}),
        }
        for number in range(count)
    ]


def test_ten_entries_go_into_a_request(bus: Bus) -> None:
    EventPublisher(bus.client).publish(entries(23))

    assert bus.requests == [10, 10, 3]
    assert bus.taken == list(range(23))


def test_a_request_stays_below_the_size_that_is_taken(bus: Bus) -> None:
    EventPublisher(bus.client).publish(entries(10, padding=100_000))

    assert bus.requests == [2] * 5
    assert bus.taken == list(range(10))


def test_nothing_is_sent_for_nothing(bus: Bus) -> None:
    EventPublisher(bus.client).publish([])

    assert bus.requests == []


@pytest.mark.parametrize("code", ["InternalFailure", "InternalException", "ThrottlingException"])
def test_only_what_was_not_taken_is_sent_again(bus: Bus, code: str) -> None:
    bus.codes = {1: [code], 4: [code, code]}

    EventPublisher(bus.client).publish(entries(6))

    assert bus.requests == [6, 2, 1]
    assert sorted(bus.taken) == list(range(6))


def test_what_is_not_taken_in_the_end_is_left_with_all_behind_it(bus: Bus) -> None:
    bus.codes = {3: ["ThrottlingException"] * 9}

    offer = EventPublisher(bus.client).offer(dict(enumerate(entries(15))))

    assert bus.taken == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert (list(offer.left), offer.refused) == ([3, 10, 11, 12, 13, 14], {})
    assert "ThrottlingException: as ordered" in offer.left[3]
    with pytest.raises(UnavailableError, match="ThrottlingException"):
        EventPublisher(bus.client).publish(entries(4))


def test_what_is_never_taken_holds_up_no_other(bus: Bus) -> None:
    bus.codes = {3: ["MalformedDetail"] * 2}

    offer = EventPublisher(bus.client).offer(dict(enumerate(entries(15))))

    assert sorted(bus.taken) == [number for number in range(15) if number != 3]
    assert (offer.refused, offer.left) == ({3: "MalformedDetail: as ordered"}, {})
    with pytest.raises(InvalidInputError, match="MalformedDetail"):
        EventPublisher(bus.client).publish(entries(4))


@pytest.mark.parametrize("fault", FAULTS[:4], ids=lambda fault: fault.name)
def test_a_bus_that_does_not_answer_leaves_all_from_there_on(bus: Bus, injection: Injection, fault: Any) -> None:
    injection.choose = lambda number, _operation: fault if number == 1 else None

    offer = EventPublisher(bus.client).offer(dict(enumerate(entries(25))))

    assert (list(offer.left), offer.refused) == (list(range(10, 25)), {})
