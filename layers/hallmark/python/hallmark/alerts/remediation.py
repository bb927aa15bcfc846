"""What to do about an alert: the team's advice before the one that everybody gets."""

from __future__ import annotations

from collections.abc import Mapping

from hallmark.alerts.notifications import Alert, Link
from hallmark.alerts.settings import AlertsPolicy

ADVICE: Mapping[str, tuple[str, ...]] = {
    "QualityGateNotPassed": (
        "Compare it with the last version that passed: `hallmark diff`.",
        "Mend what changed upstream and train again, or let a named person override the verdict with a reason.",
    ),
    "ApprovalPending": ("Read the evidence, then approve or reject with a reason.",),
    "ApprovalExpired": ("Ask for the gate again if the model is still wanted.",),
    "GateOverridden": ("Make sure that whoever did it watches the model until its next evaluation.",),
    "PromotionRefused": (
        "Where something was changed since the verdict, or grew too old: ask the gate again, `hallmark gate check`.",
        "Where nobody signed it, or it is forged: find out who told the hallmark bus of it (CloudTrail, PutEvents).",
    ),
    "EndpointRolledBack": (
        "The former version serves again: find out what made the new one fail before the next try.",
    ),
    "RollbackFailed": ("Update the endpoint by hand to the last configuration that worked.",),
    "TrainingHalted": (
        "Look at the curve: a learning rate that is too high, or data that changed, are the usual causes.",
    ),
    "DriftDetected": (
        "Look whether the traffic changed or the pipeline before it: what changed upstream is listed above.",
        "Retrain on recent data if the change is real; capture a new baseline if it is wanted.",
    ),
    "MonitorFailed": ("Give it what it lacks: a baseline, data in its window, the permission to read.",),
    "RetrainingSkipped": ("Start it by hand if it cannot wait for the end of the cool-down.",),
    "ReviewScoreLow": ("Read the worst answers with their notes; make cases of them for the next evaluation.",),
    "EvaluationFailed": ("Mend what the reason names, then run the suite again: `hallmark evaluate`.",),
    "ModelWorse": ("Keep the champion; look at the groups and categories where the report shows the loss.",),
    "CoverageLow": ("Look at what failed in the report: throttling and time-outs are mended by a slower pace.",),
    "JudgeChanged": (
        "Do not compare judged scores with earlier runs: the model behind the judge's identifier changed.",
        "Name a version of the judge that stays, and let people score the anchors again where they disagree.",
    ),
    "EndpointDown": ("See its failure reason; go back to the last configuration that worked.",),
    "DeliveryFailed": ("Check the channel's secret and address, then `hallmark dead-letters --redrive`.",),
    "CloudWatchAlarm": ("See the alarm's description and its metric.",),
}


def advised(alert: Alert, policy: AlertsPolicy) -> Alert:
    """Return an alert with what to do: by its name, and by the metrics that are not as they should be."""
    keys = dict.fromkeys((alert.name, *(reading.metric for reading in alert.readings)))
    own = [policy.remediation[key] for key in keys if key in policy.remediation]
    lines = [line for each in own for line in each.advice] or list(ADVICE.get(alert.name, ()))
    links = [Link(title="Runbook", url=each.link) for each in own if each.link]
    if alert.status == "firing":
        links += [
            Link(title="I have it", command=f"hallmark alerts ack {alert.fingerprint} --reason ..."),
            Link(
                title="Silence it for two hours",
                command=f"hallmark alerts silence {_matchers(alert)} --for 2h --reason ...",
            ),
        ]
    return alert.model_copy(update={"remediation": tuple(lines), "links": (*alert.links, *links)})


def _matchers(alert: Alert) -> str:
    return " ".join(f"--match '{label}={value}'" for label, value in {"name": alert.name, **alert.labels}.items())
