"""Handing a notification to its channel: once, in order, no faster than the channel takes them, again where it must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import quote

from hallmark.alerts.channels.amazon_q import render_amazon_q
from hallmark.alerts.channels.composing import compose
from hallmark.alerts.channels.email import Email, render_email
from hallmark.alerts.channels.messages import Actions, Message
from hallmark.alerts.channels.posting import (
    Poster,
    Target,
    TurnError,
    WaitError,
    post_pagerduty,
    post_slack,
    read_target,
)
from hallmark.alerts.channels.tokens import Grant, Mac, make_token
from hallmark.alerts.notifications import Notification
from hallmark.alerts.settings import Receiver
from hallmark.errors import InvalidInputError, UnavailableError

LINK_LIFE = timedelta(days=7)
LONGEST_PAUSE_SECONDS = 10.0
"""What a function waits itself for its turn; for longer waits the message goes back into the queue."""
SPACING_SECONDS = {"slack": 1.0, "pagerduty": 0.5}
"""A webhook of Slack takes about one message a second, a key of PagerDuty 120 events a minute."""
NO_ANSWER_SECONDS = 15.0
"""So long is a webhook or key left alone that gave no answer: what waits for others does not wait for its time-outs."""
Claim = Literal["ours", "sent", "superseded", "busy"]


class Deliveries(Protocol):
    """What was delivered, and whose turn it is."""

    def claim(self, notification: Notification) -> Claim:
        """Take a notification for oneself; tell whether it is to be sent."""
        ...

    def release(self, notification: Notification) -> None:
        """Give a notification back: the channel has not taken it."""
        ...

    def note(self, notification: Notification) -> None:
        """Note that the channel has taken it."""
        ...

    def take_turn(self, line: str, spacing_seconds: float, longest_seconds: float) -> float:
        """Take a place in a line; return how many seconds away it is, above ``longest_seconds`` without taking it."""
        ...

    def hold(self, line: str, seconds: float) -> None:
        """Let nobody in a line have a turn for so many seconds."""
        ...


class Topics(Protocol):
    """Topics of SNS."""

    def publish(self, topic_arn: str, message: Mapping[str, Any] | Email) -> None:
        """Publish a mail or a JSON document."""
        ...


class SecretsPort(Protocol):
    """Secrets by name."""

    def read(self, name: str) -> str:
        """Return a secret."""
        ...

    def forget(self, name: str) -> None:
        """Read it anew the next time: it may have been changed."""
        ...


class Delivered(NamedTuple):
    """What came of a notification."""

    outcome: Literal["sent", "repeated", "superseded"]


@dataclass(frozen=True)
class Delivery:
    """Delivers notifications of one kind of channel.

    Args:
        receivers: The policy's, by name.
        topics: ARN of each receiver's topic, where its channel is one.
        deliveries: What was delivered.
        secrets: Webhooks and keys.
        poster: HTTP.
        publisher: SNS.
        mac: Signs links; None where there is no API to link to.
        api_url: Of the HTTP API.
        pause: Waits so many seconds.
        clock: The time.
    """

    receivers: Mapping[str, Receiver]
    topics: Mapping[str, str]
    deliveries: Deliveries
    secrets: SecretsPort
    poster: Poster
    publisher: Topics
    mac: Mac | None
    api_url: str
    pause: Callable[[float], None]
    clock: Callable[[], datetime]

    def deliver(self, notification: Notification) -> Delivered:
        """Hand a notification to its channel, unless it has it.

        Raises:
            InvalidInputError: It can never be delivered.
            WaitError: The channel does not take it now.
            UnavailableError: What is needed for it cannot be reached now.
        """
        receiver = self.receivers.get(notification.receiver)
        if receiver is None or notification.channel not in receiver.channels:
            raise InvalidInputError(
                "receiver", notification.receiver, f"hallmark.yaml names no such receiver with {notification.channel}"
            )
        claim = self.deliveries.claim(notification)
        if claim == "busy":
            raise WaitError("another delivery of it is on its way", None)
        if claim != "ours":
            return Delivered("repeated" if claim == "sent" else "superseded")
        try:
            self._send(notification, receiver)
        except (InvalidInputError, UnavailableError):
            self.deliveries.release(notification)
            raise
        self.deliveries.note(notification)
        return Delivered("sent")

    def _send(self, notification: Notification, receiver: Receiver) -> None:
        message = compose(notification, self._actions(notification))
        match notification.channel:
            case "email":
                self.publisher.publish(self.topics[notification.receiver], render_email(message))
            case "amazon_q":
                self.publisher.publish(self.topics[notification.receiver], render_amazon_q(message))
            case "slack" if receiver.slack is not None:
                self._post(notification, message, receiver.slack.webhook_secret, post_slack)
            case "pagerduty" if receiver.pagerduty is not None:
                self._post(notification, message, receiver.pagerduty.routing_key_secret, post_pagerduty)

    def _post(
        self,
        notification: Notification,
        message: Message,
        secret: str,
        post: Callable[[Poster, Target, Message], None],
    ) -> None:
        target = read_target(notification.channel, secret, self.secrets.read(secret))
        spacing = SPACING_SECONDS[notification.channel]
        line = f"{notification.channel}#{secret}"
        wait = self.deliveries.take_turn(line, spacing, LONGEST_PAUSE_SECONDS)
        if wait > LONGEST_PAUSE_SECONDS:
            raise TurnError("others are before it in the channel's line, or the channel asked for time", wait)
        if wait > 0:
            self.pause(wait)
        slack = self.receivers[notification.receiver].slack
        target = target._replace(is_interactive=bool(slack and slack.signing_secret))
        try:
            post(self.poster, target, message)
        except InvalidInputError:
            # A webhook or key that was replaced is refused, too.
            self.secrets.forget(secret)
            raise
        except UnavailableError as error:
            # What a channel asks for, it asks of all that is sent there.
            asked = error.seconds if isinstance(error, WaitError) else NO_ANSWER_SECONDS
            if asked:
                self.deliveries.hold(line, asked)
            raise

    def _actions(self, notification: Notification) -> Actions:
        if self.mac is None or not self.api_url or notification.status == "resolved":
            return Actions()
        grant = Grant(
            purpose="ack",
            group=notification.group,
            receiver=notification.receiver,
            title=notification.title[:200],
            expires_at=int((self.clock() + LINK_LIFE).timestamp()),
        )
        ack = make_token(grant, self.mac)
        match = dict(notification.group_labels)
        silence = make_token(grant.model_copy(update={"purpose": "silence", "match": match}), self.mac) if match else ""
        return Actions(
            acknowledge=self._link("ack", ack),
            acknowledge_token=ack,
            silence=self._link("silence", silence),
            silence_token=silence,
        )

    def _link(self, path: str, token: str) -> str:
        return f"{self.api_url.rstrip('/')}/alerts/{path}?token={quote(token)}" if token else ""
