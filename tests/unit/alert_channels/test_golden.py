"""What people read, word for word: reviewed by eye, and kept beside this file.

``UPDATE_GOLDEN=1 pytest tests/unit/alert_channels/test_golden.py`` writes the files anew, and the pictures in docs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hallmark.alerts.channels.amazon_q import render_amazon_q
from hallmark.alerts.channels.composing import compose, describe_reading
from hallmark.alerts.channels.email import render_email
from hallmark.alerts.channels.messages import Actions, Message
from hallmark.alerts.channels.pagerduty import render_pagerduty
from hallmark.alerts.channels.slack import render_slack
from hallmark.alerts.notifications import Notification, Reading
from local.channels.picture import draw
from tests.fakes.alert_channels import ALERT, notification, resolved

GOLDEN = Path(__file__).parent / "golden"
PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
ACTIONS = Actions(
    acknowledge="https://api.example.com/alerts/ack?token=eyJ…",
    silence="https://api.example.com/alerts/silence?token=eyJ…",
)
DRIFT = ALERT.model_copy(
    update={
        "fingerprint": "77aa",
        "name": "DriftDetected",
        "severity": "warning",
        "summary": "The traffic of churn-live is not what it was",
        "subject_name": "churn-live",
        "readings": (
            Reading(
                metric="age",
                statistic="jensen_shannon",
                value=0.184,
                threshold=0.1,
                comparison="at_most",
                unit="bits",
                low=0.151,
                high=0.22,
                cases=24_120,
            ),
        ),
        "flapping": True,
    }
)
CASES: dict[str, tuple[Notification, Actions]] = {
    "firing": (notification("chat"), ACTIONS),
    "several": (
        notification("chat", 3, reason="new_alerts", alerts=(ALERT, DRIFT), firing=27, truncated=25),
        ACTIONS,
    ),
    "escalated": (notification("chat", 2, reason="escalation", escalated_from="operations"), ACTIONS),
    "resolved": (resolved("chat"), Actions()),
}


def texts(message: Message) -> dict[str, str]:
    mail = render_email(message)
    documents = {
        "slack.json": render_slack(message),
        "amazon_q.json": render_amazon_q(message),
        "pagerduty.json": render_pagerduty(message),
    }
    told = {name: json.dumps(body, indent=2, ensure_ascii=False) + "\n" for name, body in documents.items()}
    return {"email.txt": f"Subject: {mail.subject}\n\n{mail.body}", **told}


@pytest.mark.parametrize("case", CASES)
def test_every_channel_says_what_was_reviewed(case: str) -> None:
    for name, text in texts(compose(*CASES[case])).items():
        file = GOLDEN / f"{case}.{name}"
        if os.environ.get("UPDATE_GOLDEN"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"{file.name} differs: look at it, then UPDATE_GOLDEN=1"


@pytest.mark.parametrize("case", ["firing", "resolved"])
def test_the_picture_in_the_docs_is_drawn_from_what_is_sent(case: str) -> None:
    picture = draw(render_slack(compose(*CASES[case])))
    file = PICTURES / f"slack-{case}.svg"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(picture, encoding="utf-8")

    assert picture == file.read_text(encoding="utf-8"), "run with UPDATE_GOLDEN=1"
    shown = "".join(ElementTree.fromstring(picture).itertext())  # noqa: S314 - made here
    assert "0.7312" in shown


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(metric="m"), "no value"),
        (Reading(metric="m", value=0.5, threshold=0.6, comparison="at_least"), "0.5, must be at least 0.6"),
        (Reading(metric="m", value=0.5, threshold=0.6), "0.5, threshold 0.6"),
        (Reading(metric="m", value=123456.0, unit="ms"), "123,456 ms"),
        (Reading(metric="m", value=0.00001234), "1.234e-05"),
        (
            Reading(metric="m", value=2.0, baseline=1.0, change_fraction=1.0, cases=1000),
            "2, was 1, change +100.0%, 1,000 cases",
        ),
        (Reading(metric="m", value=float("nan"), threshold=1.0, comparison="over"), "nan, must be over 1"),
    ],
)
def test_a_number_is_said_with_what_it_rests_on(reading: Reading, said: str) -> None:
    assert describe_reading(reading) == said
