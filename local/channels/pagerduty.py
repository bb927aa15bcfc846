"""PagerDuty's Events API v2: incidents by dedup key, as its documentation says (developer.pagerduty.com)."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

_ROUTING_KEY = 32
_DEDUP_KEY = 255
_SUMMARY = 1024
_BYTES = 512 * 1024
_SEVERITIES = frozenset({"critical", "error", "warning", "info"})
_ACTIONS = frozenset({"trigger", "acknowledge", "resolve"})
_TOO_MANY = 429
_MINUTE = timedelta(minutes=1)


@dataclass
class Incident:
    """What became of the events with one dedup key, from trigger to resolve."""

    routing_key: str
    dedup_key: str
    status: str
    """``triggered``, ``acknowledged`` or ``resolved``."""
    events: list[dict[str, Any]] = field(default_factory=list)
    notified: int = 0
    """How often somebody's phone rang: once for a trigger, not again while it is open."""


class PagerDutyAnswer(NamedTuple):
    """Status and JSON of an answer."""

    status: int
    body: dict[str, Any]


class PagerDutyEvents:
    """Takes events, and keeps the incidents that they make.

    Attributes:
        per_minute: A routing key takes so many events a minute, and the rest gets 429; 0 takes all.
    """

    def __init__(self) -> None:
        self.per_minute = 0
        self._lock = threading.Lock()
        self._incidents: list[Incident] = []
        self._changes: list[dict[str, Any]] = []
        self._dropped: list[dict[str, Any]] = []
        self._taken_at: dict[str, list[datetime]] = {}

    @property
    def incidents(self) -> list[Incident]:
        """Every incident, in the order in which they were opened."""
        with self._lock:
            return list(self._incidents)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Change events, which page nobody."""
        with self._lock:
            return list(self._changes)

    @property
    def dropped(self) -> list[dict[str, Any]]:
        """Events that were accepted and changed nothing: they resolve or acknowledge what is not open."""
        with self._lock:
            return list(self._dropped)

    def clear(self) -> None:
        """Forget everything, and take as much as there comes."""
        with self._lock:
            self.per_minute = 0
            for kept in (self._incidents, self._changes, self._dropped):
                kept.clear()
            self._taken_at.clear()

    def enqueue(self, payload: bytes) -> PagerDutyAnswer:
        """Answer one event."""
        event, faults = _read(payload, _event_faults)
        if faults:
            return _refusal(faults)
        with self._lock:
            if self._is_too_many(event["routing_key"]):
                return PagerDutyAnswer(_TOO_MANY, {"status": "throttle exceeded", "message": "Requests are too many"})
            key = event.get("dedup_key") or uuid.uuid4().hex
            self._apply(event, key)
        return PagerDutyAnswer(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def enqueue_change(self, payload: bytes) -> PagerDutyAnswer:
        """Answer one change event."""
        event, faults = _read(payload, _change_faults)
        if faults:
            return _refusal(faults)
        with self._lock:
            self._changes.append(event)
        return PagerDutyAnswer(202, {"status": "success", "message": "Change event processed"})

    def webhook(
        self, event_type: str, dedup_key: str, secret: str, *, by: str = "On Call"
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of the webhook (v3) that tells of an incident, signed.

        Args:
            event_type: ``incident.acknowledged`` …
            dedup_key: Of the incident.
            secret: Of the subscription.
            by: Who did it.
        """
        event = {
            "id": uuid.uuid4().hex,
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "agent": {"id": "PLH1HKV", "type": "user_reference", "summary": by},
            "client": None,
            "data": {
                "id": "PGR0VU2",
                "type": "incident",
                "incident_key": dedup_key,
                "status": event_type.partition(".")[2],
            },
        }
        body = json.dumps({"event": event}).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-PagerDuty-Signature": f"v1={signature}"}, body

    def _is_too_many(self, routing_key: str) -> bool:
        now = datetime.now(UTC)
        taken = [at for at in self._taken_at.get(routing_key, []) if now - at < _MINUTE]
        self._taken_at[routing_key] = taken
        if self.per_minute and len(taken) >= self.per_minute:
            return True
        taken.append(now)
        return False

    def _apply(self, event: dict[str, Any], key: str) -> None:
        routing_key, action = event["routing_key"], event["event_action"]
        still_open = next(
            (
                incident
                for incident in self._incidents
                if (incident.routing_key, incident.dedup_key) == (routing_key, key) and incident.status != "resolved"
            ),
            None,
        )
        if still_open is None:
            if action != "trigger":
                self._dropped.append(event)
                return
            self._incidents.append(Incident(routing_key, key, "triggered", [event], notified=1))
            return
        still_open.events.append(event)
        if action != "trigger":
            still_open.status = f"{action}d"


def _read(payload: bytes, faults_of: Any) -> tuple[dict[str, Any], list[str]]:
    if len(payload) > _BYTES:
        return {}, ["Event is larger than 512 KB"]
    try:
        event = json.loads(payload)
    except ValueError:
        return {}, ["JSON cannot be parsed"]
    if not isinstance(event, dict):
        return {}, ["Event is no object"]
    return event, faults_of(event)


def _event_faults(event: dict[str, Any]) -> list[str]:
    faults = _key_faults(event)
    if event.get("event_action") not in _ACTIONS:
        faults.append("'event_action' is invalid")
    if len(str(event.get("dedup_key", ""))) > _DEDUP_KEY:
        faults.append("Length of 'dedup_key' is incorrect (should be at most 255 characters)")
    if event.get("event_action") != "trigger":
        if not event.get("dedup_key"):
            faults.append("'dedup_key' is missing or blank")
        return faults
    payload = event.get("payload")
    if not isinstance(payload, dict):
        return [*faults, "'payload' is missing or blank"]
    faults += [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
    if len(str(payload.get("summary", ""))) > _SUMMARY:
        faults.append("Length of 'payload.summary' is incorrect (should be at most 1024 characters)")
    if payload.get("severity") not in _SEVERITIES:
        faults.append("'payload.severity' is invalid (must be one of: 'critical', 'warning', 'error' or 'info')")
    return faults


def _change_faults(event: dict[str, Any]) -> list[str]:
    payload = event.get("payload")
    faults = _key_faults(event)
    if not isinstance(payload, dict) or not payload.get("summary") or len(str(payload["summary"])) > _SUMMARY:
        faults.append("'payload.summary' is missing, blank or too long")
    return faults


def _key_faults(event: dict[str, Any]) -> list[str]:
    key = event.get("routing_key")
    return (
        []
        if isinstance(key, str) and len(key) == _ROUTING_KEY
        else ["Length of 'routing_key' is incorrect (should be 32 characters)"]
    )


def _refusal(faults: list[str]) -> PagerDutyAnswer:
    return PagerDutyAnswer(400, {"status": "invalid event", "message": "Event object is invalid", "errors": faults})
