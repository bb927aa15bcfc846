"""A notification reaches its channel once, whatever that does meanwhile: over real HTTP to the local channels."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from hallmark.alerts.channels.posting import read_target
from hallmark.alerts.channels.working import LONGEST_WAIT_SECONDS, TOLD_AT, wait_seconds
from hallmark.errors import InvalidInputError
from local.channels.faults import PAGERDUTY, SLACK, ChannelFault
from local.channels.server import PAGERDUTY_SIGNING_SECRET, ROUTING_KEY, SLACK_SIGNING_SECRET, ChannelServer
from tests.fakes.alert_channels import ALERT, Lane, notification, resolved


@pytest.fixture
def channels() -> Iterator[ChannelServer]:
    with ChannelServer() as server:
        yield server


@pytest.fixture
def lane(channels: ChannelServer) -> Lane:
    return Lane(channels)


def test_slack_is_told_with_buttons_that_carry_a_link(channels: ChannelServer, lane: Lane) -> None:
    assert lane.hand(notification("chat"))

    [message] = channels.slack.messages
    assert "0.7312 (95% interval 0.7012 to 0.7611), must be at least 0.8" in message.text
    assert message.buttons["Acknowledge"]["url"].startswith("https://api.example.com/alerts/ack?token=")
    assert message.buttons["Silence 2 h"]["url"].startswith("https://api.example.com/alerts/silence?token=")


def test_a_repeat_tells_nobody_twice(channels: ChannelServer, lane: Lane) -> None:
    assert [lane.hand(notification("chat")) for _ in range(3)] == [True] * 3
    assert len(channels.slack.messages) == 1


def test_a_channel_that_asks_for_time_gets_it(channels: ChannelServer, lane: Lane) -> None:
    channels.faults.set(SLACK, ChannelFault(status=429, retry_after=37))

    assert not lane.hand(notification("chat"))
    assert lane.postponed == [37.0]
    # It asks it of all that is sent there.
    assert not lane.hand(notification("chat", 2))
    assert (lane.postponed, channels.requests(SLACK)) == ([37.0, 37.0], 1)
    lane.deliveries.seconds = 37.0
    assert [lane.hand(notification("chat", sequence), attempt=2) for sequence in (1, 2)] == [True, True]
    assert len(channels.slack.messages) == 2


def test_who_waits_for_a_channel_that_is_down_waits_longer_each_time(channels: ChannelServer, lane: Lane) -> None:
    lane.deliveries.hold(f"{SLACK}#hallmark/slack-webhook", 12.0)
    for attempt in (1, 2, 3, 4):
        assert not lane.hand(notification("chat"), attempt)

    assert lane.postponed == [12.0, 12.0, 20.0, 40.0]
    assert channels.requests(SLACK) == 0


def test_a_webhook_that_gives_no_answer_holds_up_no_other_one(channels: ChannelServer, lane: Lane) -> None:
    channels.faults.set(SLACK, ChannelFault(delay_seconds=1.0, status=200))
    assert [lane.hand(notification("chat", sequence)) for sequence in (1, 2, 3)] == [False] * 3
    assert channels.requests(SLACK) == 1

    assert lane.hand(notification("others"))
    assert [message.webhook for message in channels.slack.messages] == ["T0/B0/others"]
    lane.deliveries.seconds = 15.0
    assert [lane.hand(notification("chat", sequence), 2) for sequence in (1, 2, 3)] == [True] * 3


def test_waits_grow_while_a_channel_is_down(channels: ChannelServer, lane: Lane) -> None:
    channels.faults.set(SLACK, ChannelFault(status=503, times=None))
    for attempt in range(1, 11):
        assert not lane.hand(notification("chat"), attempt)

    assert lane.postponed == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert [failed.attempts for failed in lane.failures] == [TOLD_AT]
    assert sum(wait_seconds(attempt) for attempt in range(1, 30)) > 5 * 3600
    assert max(wait_seconds(attempt) for attempt in range(1, 10_000)) == LONGEST_WAIT_SECONDS


def test_what_no_try_delivered_is_kept_with_the_reason_and_told(channels: ChannelServer) -> None:
    lane = Lane(channels, maximum_receives=5)
    channels.faults.set(PAGERDUTY, ChannelFault(status=500, body="broken", times=None))

    assert lane.hand(notification("duty"), attempt=5)
    [(body, error)] = lane.refused
    assert json.loads(body)["receiver"] == "duty"
    assert "PagerDuty answered 500 broken" in str(error)
    assert [failed.channel for failed in lane.failures] == ["pagerduty/duty"]


def test_a_channel_that_does_not_answer_in_time_is_asked_again(channels: ChannelServer, lane: Lane) -> None:
    channels.faults.set(SLACK, ChannelFault(delay_seconds=2.0, status=200))

    assert not lane.hand(notification("chat"))
    assert lane.postponed == [5.0]
    assert "gave no answer" in lane.log[0][1]["reason"]


def test_a_lost_answer_may_tell_twice_and_pagerduty_makes_one_incident_of_it(
    channels: ChannelServer, lane: Lane
) -> None:
    channels.faults.set(PAGERDUTY, ChannelFault(lose_answer=True))
    assert not lane.hand(notification("duty"))
    lane.deliveries.seconds = 15.0
    assert lane.hand(notification("duty"), attempt=2)

    [incident] = channels.pagerduty.incidents
    assert (len(incident.events), incident.notified) == (2, 1)


def test_a_message_that_slack_finds_too_long_is_shortened_once(channels: ChannelServer, lane: Lane) -> None:
    channels.faults.set(SLACK, ChannelFault(status=400, body="msg_blocks_too_long"))

    assert lane.hand(notification("chat"))
    assert len(channels.slack.messages) == 1
    assert channels.requests(SLACK) == 2


@pytest.mark.parametrize("said", ["invalid_blocks", "no_service", "msg_blocks_too_long"])
def test_what_a_channel_refuses_for_good_goes_to_the_dead_letters_at_once(
    channels: ChannelServer, lane: Lane, said: str
) -> None:
    channels.faults.set(SLACK, ChannelFault(status=400, body=said, times=None))

    assert lane.hand(notification("chat"))
    [(_, error)] = lane.refused
    assert said in str(error)
    assert lane.secrets.forgotten == ["hallmark/slack-webhook"]
    assert lane.failures[0].attempts == 1


def test_pagerduty_opens_and_ends_one_incident(channels: ChannelServer, lane: Lane) -> None:
    for sequence in (1, 2):
        assert lane.hand(notification("duty", sequence))
    assert lane.hand(resolved("duty", 3))

    [incident] = channels.pagerduty.incidents
    assert (incident.status, len(incident.events), incident.routing_key) == ("resolved", 3, ROUTING_KEY)
    assert incident.events[0]["payload"]["severity"] == "error"


def test_what_somebody_has_is_acknowledged_in_pagerduty_too(channels: ChannelServer, lane: Lane) -> None:
    has = ALERT.model_copy(update={"acknowledged_by": "ada"})
    assert lane.hand(notification("duty", 1))
    assert lane.hand(notification("duty", 2, reason="acknowledged", alerts=(has,)))

    [incident] = channels.pagerduty.incidents
    assert (incident.status, incident.notified) == ("acknowledged", 1)
    assert incident.events[1]["payload"]["custom_details"]["note"] == "Taken by ada."
    # What it does not know of is not opened by it.
    assert lane.hand(notification("duty", 3, reason="acknowledged", thread_key="hallmark/new/20261128T142500"))
    assert len(channels.pagerduty.incidents) == 1


def test_a_trigger_that_comes_after_its_own_end_opens_nothing(channels: ChannelServer, lane: Lane) -> None:
    channels.faults.set(PAGERDUTY, ChannelFault(status=503))
    assert not lane.hand(notification("duty", 1))
    assert lane.hand(resolved("duty", 2))
    assert lane.hand(notification("duty", 1), attempt=2)

    assert channels.pagerduty.incidents == []
    assert lane.log[-1][1]["outcome"] == "superseded"


def test_messages_keep_the_distance_that_a_channel_asks_for(channels: ChannelServer, lane: Lane) -> None:
    for sequence in range(1, 4):
        assert lane.hand(notification("chat", sequence))

    assert lane.pauses == [1.0, 2.0]


def test_a_long_line_is_waited_for_in_the_queue(channels: ChannelServer, lane: Lane) -> None:
    lane.deliveries.free_at["slack#hallmark/slack-webhook"] = 60.0

    assert not lane.hand(notification("chat"))
    assert lane.postponed == [60.0]
    assert channels.requests(SLACK) == 0
    lane.deliveries.seconds = 60.0
    assert lane.hand(notification("chat"), attempt=2)


def test_mail_and_chats_are_told_by_topics(lane: Lane) -> None:
    assert lane.hand(notification("operations"))
    assert lane.hand(notification("q"))

    (mail_topic, mail), (chat_topic, chat) = lane.topics.published
    assert (mail_topic, chat_topic) == ("arn:topic:operations", "arn:topic:q")
    assert mail.subject == "[Hallmark] ERROR: churn:7 failed the gate staging: accuracy of customers over 60 is too low"  # type: ignore[union-attr]
    assert chat["source"] == "custom"  # type: ignore[call-overload]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"id": 1}', '{"id": "\\ud800"}'])
def test_what_is_no_notification_goes_to_the_dead_letters(lane: Lane, body: str) -> None:
    assert lane.hand(body)
    assert len(lane.refused) == 1
    assert lane.failures == []


def test_a_receiver_that_left_the_policy_is_said(lane: Lane) -> None:
    assert lane.hand(notification("chat").model_copy(update={"receiver": "gone"}))
    assert "gone" in str(lane.refused[0][1])


@pytest.mark.parametrize(
    "fault",
    [
        ChannelFault(status=400, body="{told}", times=None),
        ChannelFault(status=503, body="{told}", times=None),
        ChannelFault(lose_answer=True, times=None),
        ChannelFault(delay_seconds=1.0, status=200, times=None),
    ],
)
def test_no_line_and_no_error_holds_a_secret(
    channels: ChannelServer, lane: Lane, fault: ChannelFault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = channels.webhook_url()
    path = url.removeprefix(channels.url)
    # Even where the channel itself repeats what it was called by.
    for channel, told in ((SLACK, f"no such {url} {path}"), (PAGERDUTY, f"unknown key {ROUTING_KEY}")):
        channels.faults.set(channel, fault.model_copy(update={"body": fault.body.format(told=told)}))
    for receiver in ("chat", "duty"):
        for attempt in (1, TOLD_AT, 30):
            lane.hand(notification(receiver), attempt)

    said = [repr(lane.log), repr(lane.refused), repr(lane.failures), repr(lane.worker.delivery.poster), caplog.text]
    for hidden in (path.strip("/"), ROUTING_KEY, SLACK_SIGNING_SECRET, PAGERDUTY_SIGNING_SECRET):
        assert not [text for text in said if hidden in text]


def test_a_webhook_that_others_could_read_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="https") as refused:
        read_target("slack", "s", "http://hooks.slack.example/services/T0/B0/topsecret")
    assert "topsecret" not in str(refused.value)


def test_a_secret_may_be_plain_or_name_another_region_of_pagerduty() -> None:
    assert read_target("slack", "s", "https://hooks.slack.com/services/T/B/x\n").url.endswith("/x")
    assert read_target("pagerduty", "s", ROUTING_KEY).url == "https://events.pagerduty.com/v2/enqueue"
    europe = json.dumps({"routing_key": ROUTING_KEY, "events_url": "https://events.eu.pagerduty.com/v2/enqueue"})
    assert read_target("pagerduty", "s", europe).url == "https://events.eu.pagerduty.com/v2/enqueue"
