"""Whatever an alert holds, each channel takes what is rendered: as servers that check and figures show."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hallmark.alerts.channels import amazon_q
from hallmark.alerts.channels.amazon_q import render_amazon_q
from hallmark.alerts.channels.email import render_email
from hallmark.alerts.channels.messages import Actions, Change, Item, Message
from hallmark.alerts.channels.pagerduty import dedup_key_of, render_change, render_pagerduty
from hallmark.alerts.channels.shortening import clip, length, to_ascii
from hallmark.alerts.channels.slack import render_slack
from local.channels.pagerduty import PagerDutyEvents
from local.channels.server import ROUTING_KEY
from local.channels.slack import SlackWebhooks
from tests.fakes.alert_messages import CHANGES, MESSAGES

EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
ENTITIES = re.compile(r"&(?!amp;|lt;|gt;)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")


def message_of(alerts: int, **changed: object) -> Message:
    items = tuple(
        Item(
            title=f"DriftDetected: churn-{number}",
            status="firing",
            severity="error",
            since=NOW,
            summary="The traffic is not what it was.",
            remedies=("Retrain on the drifted window.",),
        )
        for number in range(alerts)
    )
    message = Message(
        id="n1",
        group="g1",
        status="firing",
        severity="error",
        title="drift",
        items=items,
        firing=alerts,
        said_at=NOW,
        actions=Actions(acknowledge="https://api.example/alerts/ack?token=t", silence="https://api.example/s?token=t"),
    )
    return message.model_copy(update=changed)


@EXAMPLES
@given(message=MESSAGES, is_interactive=st.booleans())
def test_slack_takes_every_message(message: Message, is_interactive: bool) -> None:
    body = json.dumps(render_slack(message, is_interactive=is_interactive)).encode()

    assert SlackWebhooks().post("T/B/x", body).text == "ok"


@EXAMPLES
@given(message=MESSAGES)
def test_nothing_in_an_alert_becomes_a_mention_or_half_an_escape(message: Message) -> None:
    webhooks = SlackWebhooks()
    webhooks.post("T/B/x", json.dumps(render_slack(message)).encode())
    [taken] = webhooks.messages
    for block in taken.blocks:
        for text in [block.get("text"), *block.get("elements", [])]:
            if text and text["type"] == "mrkdwn":
                assert ENTITIES.search(text["text"]) is None
                assert CONTROL.search(text["text"]) is None
                for opened in re.findall(r"<[^>]*", text["text"]):
                    assert opened.startswith(("<https://", "<http://"))


@EXAMPLES
@given(message=MESSAGES, change=CHANGES)
def test_pagerduty_takes_every_message_and_every_change(message: Message, change: Change) -> None:
    events = PagerDutyEvents()
    for action in ("trigger", "acknowledge", "resolve"):
        event = {**render_pagerduty(message, action), "routing_key": ROUTING_KEY}
        assert events.enqueue(json.dumps(event).encode()).status == 202
    told = {**render_change(change), "routing_key": ROUTING_KEY}
    assert events.enqueue_change(json.dumps(told).encode()).status == 202


@EXAMPLES
@given(message=MESSAGES)
def test_amazon_q_takes_every_message(message: Message) -> None:
    told = json.loads(json.dumps(render_amazon_q(message)))

    assert (told["version"], told["source"]) == ("1.0", "custom")
    content = told["content"]
    assert 0 < length(content["title"]) <= amazon_q.TITLE_LENGTH
    assert 0 < length(content["description"]) <= amazon_q.DESCRIPTION_LENGTH
    assert all(0 < length(step) <= amazon_q.STEP_LENGTH for step in content.get("nextSteps", []))
    assert all(0 < length(word) <= amazon_q.KEYWORD_LENGTH for word in content["keywords"])
    assert told["metadata"]["threadId"]
    assert len(json.dumps(told).encode()) < 256 * 1024


@EXAMPLES
@given(message=MESSAGES)
def test_sns_takes_every_mail(message: Message) -> None:
    mail = render_email(message)

    assert re.fullmatch(r"[!-~][ -~]{0,98}", mail.subject)
    assert len(mail.body.encode()) + len(mail.subject) < 256 * 1024


@EXAMPLES
@given(group=st.text(max_size=600))
def test_a_dedup_key_is_short_and_always_the_same(group: str) -> None:
    key = dedup_key_of(group)

    assert 0 < len(key) <= 255
    assert key.isascii()
    assert key == dedup_key_of(group)


def test_two_long_groups_have_two_dedup_keys() -> None:
    assert dedup_key_of("g" * 300 + "a") != dedup_key_of("g" * 300 + "b")


@pytest.mark.parametrize("alerts", [1, 20, 1000])
def test_what_is_left_out_is_counted(alerts: int) -> None:
    body = render_slack(message_of(alerts))
    told = json.dumps(body, ensure_ascii=False)
    shown = told.count("DriftDetected: churn-")

    assert shown >= 1
    assert (f"and {alerts - shown} more alert" in told) == (shown < alerts)


def test_alerts_that_the_notification_did_not_carry_are_counted_too() -> None:
    message = message_of(20, firing=500)

    assert "… and 480 more alerts" in render_email(message).body
    assert render_pagerduty(message)["payload"]["custom_details"]["left_out"] == "480 more alerts"


def test_a_message_that_slack_found_too_long_is_shortened_further() -> None:
    long, short = (render_slack(message_of(12), total=total) for total in (12_000, 1_000))

    assert len(json.dumps(short)) < len(json.dumps(long))
    assert "more alert" in json.dumps(short)


def test_a_resolved_group_offers_nothing_to_acknowledge() -> None:
    body = render_slack(message_of(1, status="resolved", firing=0, resolved=1))

    assert "Acknowledge" not in json.dumps(body)
    assert "Acknowledge" not in render_email(message_of(1, status="resolved")).body


def test_clipping_keeps_whole_characters() -> None:
    assert clip("😀😀😀", 5) == "😀😀…"
    assert clip("a&b", 6, lambda text: text.replace("&", "&amp;")) == "a…"


def test_a_subject_keeps_what_ascii_can_say() -> None:
    assert to_ascii("Größe \N{EN DASH} naïve … 漢") == "Gro?e - naive ... ?"
