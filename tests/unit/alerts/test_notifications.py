from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from hallmark.alerts.notifications import (
    Alert,
    Notification,
    Reading,
    fingerprint_of,
    is_at_least,
    notification_id,
    read_notification,
)
from hallmark.errors import InvalidInputError

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
ALERT = Alert(
    fingerprint="0123456789abcdef",
    id="hallmark:alert/0123456789abcdef@20261101T120000Z",
    name="DriftDetected",
    severity="error",
    labels={"monitor": "traffic"},
    summary="traffic drifted",
    readings=(Reading(metric="length", value=0.2, threshold=0.1), Reading(metric="tokens")),
    starts_at=NOON,
)
NOTIFICATION = Notification(
    id="1",
    receiver="team",
    channel="slack",
    group="g",
    group_labels={},
    thread_key="g",
    status="firing",
    reason="first",
    severity="error",
    alerts=(ALERT,),
    firing=3,
    resolved=0,
    sequence=1,
    created_at=NOON,
)


def test_the_order_of_labels_makes_no_other_fingerprint_and_another_value_does() -> None:
    first = fingerprint_of("A", {"x": "1", "y": "2"})

    assert fingerprint_of("A", {"y": "2", "x": "1"}) == first
    assert len({first, fingerprint_of("A", {"x": "1", "y": "3"}), fingerprint_of("B", {"x": "1", "y": "2"})}) == 3


def test_a_notification_is_named_by_group_receiver_round_and_place() -> None:
    names = {
        notification_id(group, receiver, opened, sequence)
        for group in ("g", "h")
        for receiver in ("team", "duty")
        for opened in (NOON, NOON + timedelta(days=1))
        for sequence in (1, 2)
    }

    assert len(names) == 16
    assert notification_id("g", "team", NOON, 1) in names


def test_what_a_queue_holds_is_read_as_it_was_written() -> None:
    assert read_notification(NOTIFICATION.model_dump_json()) == NOTIFICATION


def test_a_message_that_is_no_notification_is_refused_with_field_and_remedy() -> None:
    broken = NOTIFICATION.model_dump(mode="json") | {"channel": "pigeon"}

    with pytest.raises(InvalidInputError, match=r"channel is 'pigeon'.*'email', 'slack', 'amazon_q' or 'pagerduty'"):
        read_notification(json.dumps(broken))


def test_the_title_says_how_many_fire_and_what_the_first_one_is() -> None:
    assert NOTIFICATION.title == "[FIRING:3] traffic drifted (and 2 more)"
    over = NOTIFICATION.model_copy(update={"status": "resolved", "firing": 0, "resolved": 1})
    assert over.title == "[RESOLVED] traffic drifted"


def test_the_first_reading_stands_for_the_alert() -> None:
    assert ALERT.first is not None
    assert ALERT.first.metric == "length"
    assert ALERT.model_copy(update={"readings": ()}).first is None


def test_severities_are_ordered() -> None:
    assert is_at_least("critical", "error")
    assert is_at_least("error", "error")
    assert not is_at_least("warning", "error")
