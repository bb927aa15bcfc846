"""The world around a channel: deliveries in memory, a key that signs, a clock that waits for nobody."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.alerts.channels.delivering import Claim, Delivery
from hallmark.alerts.channels.email import Email
from hallmark.alerts.channels.posting import Poster
from hallmark.alerts.channels.working import Worker
from hallmark.alerts.notifications import (
    Alert,
    ChannelKind,
    Link,
    NamedNode,
    Notification,
    Reading,
    UpstreamChange,
)
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.http_posts import HttpPosts
from hallmark.errors import InvalidInputError
from hallmark.events.alerts import DeliveryFailed
from local.channels.server import ChannelServer

NOW = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)
API = "https://api.example.com"
POLICY = AlertsPolicy.model_validate(
    {
        "receivers": {
            "operations": {"email": {}},
            "chat": {"slack": {"webhook_secret": "hallmark/slack-webhook"}},
            "others": {"slack": {"webhook_secret": "hallmark/slack-of-others"}},
            "buttons": {
                "slack": {"webhook_secret": "hallmark/slack-webhook", "signing_secret": "hallmark/slack-signing"}
            },
            "duty": {
                "pagerduty": {
                    "routing_key_secret": "hallmark/pagerduty-key",
                    "webhook_secret": "hallmark/pagerduty-signing",
                }
            },
            "q": {"amazon_q": {}},
        },
        "route": {"receiver": "operations"},
    }
)
CHANNELS: dict[str, ChannelKind] = {name: receiver.channel for name, receiver in POLICY.receivers.items()}

ALERT = Alert(
    fingerprint="2f1c9a7be0d34411",
    id="hallmark:alert/2f1c9a7be0d34411@20261128T142500",
    name="QualityGateNotPassed",
    severity="error",
    labels={"name": "QualityGateNotPassed", "subject": "churn", "stage": "staging"},
    summary="churn:7 failed the gate staging: accuracy of customers over 60 is too low",
    subject="arn:aws:sagemaker:us-east-1:111122223333:model-package/churn/7",
    subject_name="churn:7",
    readings=(
        Reading(
            metric="accuracy",
            value=0.7312,
            threshold=0.8,
            comparison="at_least",
            low=0.7012,
            high=0.7611,
            confidence=0.95,
            baseline=0.8123,
            change_fraction=-0.0998,
            cases=1200,
        ),
        Reading(
            metric="gap_of_groups", value=0.14, threshold=0.05, comparison="at_most", why="over 60 against the rest"
        ),
    ),
    affected=(
        NamedNode(
            node="arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn-live", kind="endpoint", label="churn-live"
        ),
    ),
    affected_count=3,
    changes=(
        UpstreamChange(
            what="data train: sha256:1a2b… became sha256:3c4d…", at=datetime(2026, 11, 28, 9, 12, tzinfo=UTC)
        ),
    ),
    remediation=(
        "Compare the training data of version 7 with version 6.",
        "Weigh customers over 60, then train again.",
    ),
    links=(
        Link(title="The report", url="https://reports.example.com/churn/7?run=a&view=b"),
        Link(title="Where it came from", command="hallmark trace churn:7 --up"),
    ),
    owners=("ada@example.com",),
    starts_at=datetime(2026, 11, 28, 14, 25, tzinfo=UTC),
)
RESOLVED = ALERT.model_copy(update={"status": "resolved", "ends_at": datetime(2026, 11, 28, 15, 2, tzinfo=UTC)})


def notification(receiver: str, sequence: int = 1, **changed: Any) -> Notification:
    told: dict[str, Any] = {
        "id": hashlib.sha256(f"{receiver}{sequence}".encode()).hexdigest()[:32],
        "receiver": receiver,
        "channel": CHANNELS[receiver],
        "group": "9f86d081884c7d65",
        "group_labels": {"name": "QualityGateNotPassed", "subject": "churn", "stage": "staging"},
        "thread_key": "hallmark/9f86d081884c7d65/20261128T142500",
        "status": "firing",
        "reason": "first",
        "severity": "error",
        "alerts": (ALERT,),
        "firing": 1,
        "resolved": 0,
        "sequence": sequence,
        "created_at": NOW,
    }
    return Notification(**{**told, **changed})


def resolved(receiver: str, sequence: int = 2) -> Notification:
    return notification(
        receiver, sequence, status="resolved", reason="resolved", alerts=(RESOLVED,), firing=0, resolved=1
    )


class MemoryDeliveries:
    """``Deliveries`` in memory, with a line that moves by the clock it is given."""

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.latest: dict[tuple[str, str], int] = {}
        self.free_at: dict[str, float] = {}
        self.seconds = 0.0

    def claim(self, told: Notification) -> Claim:
        if told.reason != "digest" and self.latest.get((told.receiver, told.thread_key), 0) > told.sequence:
            return "superseded"
        if told.id in self.state:
            return "sent" if self.state[told.id] == "sent" else "busy"
        self.state[told.id] = "sending"
        return "ours"

    def release(self, told: Notification) -> None:
        del self.state[told.id]

    def note(self, told: Notification) -> None:
        self.state[told.id] = "sent"
        key = (told.receiver, told.thread_key)
        self.latest[key] = max(self.latest.get(key, 0), told.sequence)

    def take_turn(self, line: str, spacing_seconds: float, longest_seconds: float) -> float:
        wait = max(self.free_at.get(line, 0.0) - self.seconds, 0.0)
        if wait <= longest_seconds:
            self.free_at[line] = self.seconds + wait + spacing_seconds
        return wait

    def hold(self, line: str, seconds: float) -> None:
        self.free_at[line] = max(self.free_at.get(line, 0.0), self.seconds + seconds)


class HmacKey:
    """A ``Mac`` of this process."""

    def __init__(self, key: bytes = b"key") -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return hmac.new(self._key, message, hashlib.sha256).digest()

    def verify(self, message: bytes, code: bytes) -> bool:
        return hmac.compare_digest(self.sign(message), code)


class MemorySecrets:
    """Secrets by name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self.forgotten: list[str] = []

    def read(self, name: str) -> str:
        if name not in self.values:
            raise InvalidInputError("the secret", name, "create it")
        return self.values[name]

    def forget(self, name: str) -> None:
        self.forgotten.append(name)


class MemoryTopics:
    """Topics that keep what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[str, Any] | Email]] = []

    def publish(self, topic_arn: str, message: Mapping[str, Any] | Email) -> None:
        self.published.append((topic_arn, message))


class Lane:
    """A channel's queue, worked off by the product's own worker over real HTTP to the local channels."""

    def __init__(self, channels: ChannelServer, *, poster: Poster | None = None, maximum_receives: int = 30) -> None:
        self.deliveries = MemoryDeliveries()
        self.topics = MemoryTopics()
        self.secrets = MemorySecrets(
            {**channels.secrets(), "hallmark/slack-of-others": channels.webhook_url("T0/B0/others")}
        )
        self.pauses: list[float] = []
        self.postponed: list[float] = []
        self.refused: list[tuple[str, Exception]] = []
        self.failures: list[DeliveryFailed] = []
        self.log: list[tuple[str, dict[str, Any]]] = []
        delivery = Delivery(
            receivers=POLICY.receivers,
            topics={"operations": "arn:topic:operations", "q": "arn:topic:q"},
            deliveries=self.deliveries,
            secrets=self.secrets,
            poster=poster or HttpPosts(read_seconds=0.5),
            publisher=self.topics,
            mac=HmacKey(),
            api_url=API,
            pause=self.pauses.append,
            clock=lambda: NOW,
        )
        self.worker = Worker(
            delivery=delivery,
            queue=self,
            tell=self.failures.append,
            note=lambda message, **fields: self.log.append((message, fields)),
            maximum_receives=maximum_receives,
            clock=lambda: NOW,
        )

    def postpone(self, receipt: str, seconds: float) -> None:
        self.postponed.append(seconds)

    def refuse(self, body: str, error: Exception) -> None:
        self.refused.append((body, error))

    def hand(self, told: Notification | str, attempt: int = 1) -> bool:
        """Hand over one message; tell whether it is done with."""
        body = told if isinstance(told, str) else told.model_dump_json()
        record = {
            "messageId": "m1",
            "receiptHandle": "r1",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(attempt)},
        }
        return self.worker.work_off([record]) == []


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
