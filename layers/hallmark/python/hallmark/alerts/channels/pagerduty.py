"""PagerDuty's Events API v2 (its developer documentation, "Send an alert event" and "Send a change event")."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from hallmark.alerts.channels.messages import Change, Item, Link, Message, time_of
from hallmark.alerts.channels.shortening import clean, clip, first, one_line

DEDUP_KEY_LENGTH = 255
SUMMARY_LENGTH = 1024
EVENT_BYTES = 512 * 1024 - 1024
"""With room for the routing key, which is added when it is sent."""
_SOURCE_LENGTH = 255
_LINKS = 20
_URL_LENGTH = 2000
_MEASURES = ((50, 20, 2000), (20, 10, 500), (5, 3, 200), (0, 0, 0))
EventAction = Literal["trigger", "acknowledge", "resolve"]


def dedup_key_of(group: str) -> str:
    """Return the key of a group's incident: the group itself where PagerDuty takes it, else its digest."""
    if group and group.isascii() and group.isprintable() and len(group) <= DEDUP_KEY_LENGTH:
        return group
    return "sha256:" + hashlib.sha256(group.encode(errors="surrogatepass")).hexdigest()


def render_pagerduty(message: Message, action: EventAction | None = None) -> dict[str, Any]:
    """Return an event without its routing key.

    Args:
        message: What is said.
        action: None follows from the message: firing triggers, resolved resolves, what somebody has acknowledges.
    """
    own: EventAction = "acknowledge" if message.is_acknowledged else "trigger"
    chosen = action or ("resolve" if message.status == "resolved" else own)
    event: dict[str, Any] = {}
    for items, entries, line in _MEASURES:
        event = _event(message, chosen, items, entries, line)
        if len(json.dumps(event).encode()) <= EVENT_BYTES:
            break
    return event


def render_change(change: Change) -> dict[str, Any]:
    """Return a change event without its routing key: it pages nobody and is shown beside incidents."""
    return {
        "payload": {
            "summary": clip(one_line(change.summary), SUMMARY_LENGTH) or "Hallmark",
            "source": clip(one_line(change.source), _SOURCE_LENGTH) or "hallmark",
            "timestamp": change.at.isoformat(),
            "custom_details": {
                clip(one_line(fact.name), 100): clip(clean(fact.value), SUMMARY_LENGTH)
                for fact in change.facts[:_LINKS]
            },
        }
    }


def _event(message: Message, action: EventAction, items: int, entries: int, line: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "event_action": action,
        "dedup_key": dedup_key_of(message.group),
        "client": "Hallmark",
        "payload": {
            "summary": _summary(message),
            "source": _source(message),
            "severity": message.severity,
            "timestamp": min((item.since for item in message.items), default=message.said_at).isoformat(),
            "component": _label(message, "model", "endpoint", "subject"),
            "group": _label(message, "stage", "group"),
            "class": _label(message, "alertname", "name"),
            "custom_details": _details(message, items, entries, line),
        },
    }
    if message.actions.open.startswith("https://"):
        event["client_url"] = message.actions.open
    if links := _links(message)[:_LINKS]:
        event["links"] = links
    event["payload"] = {name: value for name, value in event["payload"].items() if value}
    return event


def _summary(message: Message) -> str:
    return clip(one_line(message.heading), SUMMARY_LENGTH) or "Hallmark"


def _source(message: Message) -> str:
    return clip(_label(message, "endpoint", "model", "subject", "job"), _SOURCE_LENGTH) or "hallmark"


def _label(message: Message, *names: str) -> str:
    labels = {fact.name: one_line(fact.value) for fact in message.labels}
    return next((clip(labels[name], _SOURCE_LENGTH) for name in names if labels.get(name)), "")


def _details(message: Message, items: int, entries: int, line: int) -> dict[str, Any]:
    details: dict[str, Any] = {"counts": message.counts}
    if message.note:
        details["note"] = clip(clean(message.note), SUMMARY_LENGTH)
    if message.owners:
        details["owners"] = [clip(one_line(owner), 200) for owner in first(message.owners, 20)]
    if items:
        details["alerts"] = [_item(item, entries, line) for item in message.items[:items]]
    if left_out := message.left_out(items):
        details["left_out"] = f"{left_out} more alert{'' if left_out == 1 else 's'}"
    return details


def _item(item: Item, entries: int, line: int) -> dict[str, Any]:
    lists = {"affected": item.affected, "changed_upstream": item.upstream, "what_to_do": item.remedies}
    return {
        "title": clip(one_line(item.title), line),
        "status": item.status,
        "severity": item.severity,
        "since": time_of(item.since),
        **({"until": time_of(item.until)} if item.until else {}),
        "summary": clip(clean(item.summary), line),
        "facts": [clip(one_line(f"{fact.name}: {fact.value}"), line) for fact in item.facts[:entries]],
        "see_more": [clip(one_line(f"{told.name}: {told.value}"), line) for told in item.commands[:entries]],
        **{name: [clip(one_line(value), line) for value in first(values, entries)] for name, values in lists.items()},
    }


def _links(message: Message) -> list[dict[str, str]]:
    links = [link for item in message.items for link in item.links]
    if message.status == "firing" and message.actions.acknowledge:
        links.insert(0, Link(text="Acknowledge in Hallmark", url=message.actions.acknowledge))
    usable = {link.url: link for link in links if link.url.startswith("https://") and len(link.url) <= _URL_LENGTH}
    return [{"href": clean(link.url), "text": clip(one_line(link.text), 200)} for link in usable.values()]
