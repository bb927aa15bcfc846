"""The functions of alerts in an account of moto's, whose calls can be made to fail."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from hallmark.alerts.notifications import Notification, read_notification
from hallmark.errors import HallmarkError
from hallmark.policy.deployment import write_policy_package
from hallmark.policy.models import Policy
from tests.contract.aws_adapters.conftest import aws, injection, shared_clients  # noqa: F401 - fixtures
from tests.contract.aws_adapters.injection import Crash
from tests.contract.aws_adapters.test_alert_table import TABLE, create_table
from tests.fakes.lambda_functions import Context, load_function

CHANNELS = ("email", "slack", "amazon_q", "pagerduty")
MOMENT = "PT0.001S"
POLICY = Policy.model_validate(
    {
        "alerts": {
            "receivers": {"mail": {"email": {}}},
            "route": {"receiver": "mail", "group_wait": MOMENT, "group_interval": MOMENT, "group_by": ["subject"]},
        }
    }
)


class Functions:
    """What Lambda and SQS do with the two functions: a message that failed comes again."""

    def __init__(self, session: botocore.session.Session, queues: Mapping[str, str]) -> None:
        self.sqs: Any = session.create_client("sqs")
        self.queues = queues
        self.modules = {name: load_function(name) for name in ("route_alerts", "tick_alerts")}

    def deliver(self, function: str, *bodies: Any) -> int:
        """Deliver messages until the function has handled them; return how often that took."""
        left = {f"{place}": json.dumps(body) for place, body in enumerate(bodies)}
        tries = 0
        while left:
            tries += 1
            records = [
                {"messageId": name, "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
                for name, body in left.items()
            ]
            try:
                answer = self.modules[function].handler({"Records": records}, Context())
            except (Crash, HallmarkError):
                self.modules[function] = load_function(function)
                continue
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            left = {name: body for name, body in left.items() if name in failed}
        return tries

    def look(self) -> None:
        """Let the sweep wake what is due, and look at it."""
        self.deliver("tick_alerts", {})
        self.deliver("tick_alerts", *[json.loads(body) for body in self.take("look")])

    def take(self, queue: str) -> list[str]:
        """Take what lies in a queue."""
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queues[queue], MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=self.queues[queue], ReceiptHandle=message["ReceiptHandle"])
        return found

    def hear(self) -> list[Notification]:
        """Look until something is told, as the sweep does; return what lies in the queue of e-mails, each id once.

        Two looks at a time may both send what one of them decided: the id tells channels the repeat.
        """
        deadline = time.monotonic() + 30
        while True:
            self.look()
            told = {(each := read_notification(body)).id: each for body in self.take("email")}
            if told or time.monotonic() > deadline:
                return list(told.values())


@pytest.fixture
def functions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Functions]:
    session = request.getfixturevalue("aws")
    request.getfixturevalue("shared_clients")
    create_table(session.create_client("dynamodb"))
    session.create_client("events").create_event_bus(Name="hallmark")
    sqs = session.create_client("sqs")
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("look", "dead", *CHANNELS)}
    for name, value in {
        "ALERTS_TABLE_NAME": TABLE,
        "EVENT_BUS_NAME": "hallmark",
        "LOOK_QUEUE_URL": queues["look"],
        "DEAD_LETTER_QUEUE_URL": queues["dead"],
        **{f"{name.upper()}_QUEUE_URL": queues[name] for name in CHANNELS},
    }.items():
        monkeypatch.setenv(name, value)
    write_policy_package(POLICY, tmp_path, tmp_path / "layer")
    monkeypatch.syspath_prepend(tmp_path / "layer")
    importlib.invalidate_caches()
    yield Functions(session, queues)
    sys.modules.pop("hallmark_policy", None)
