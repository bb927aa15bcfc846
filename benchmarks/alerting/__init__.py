"""What people hear of a year of hourly windows, and of a storm of violations, beside one message for each bad event.

The year and the storm go through the engine with its state in memory. ``STORM=n`` in the environment sends a storm of
that size through the deployed app instead. Each run also looks whether anything was lost.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hallmark.alerts.grouping import GroupState
from hallmark.alerts.rules import observe_event
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.alert_table import LIST_SHARDS, LISTS_INDEX, DynamoAlerts
from hallmark.events import drift
from local.cloud import LocalCloud
from local.deployment import LOCAL_CONTEXT, CloudAddress, deploy
from local.settings import CloudSettings
from tests.fakes.memory_alerts import World
from tests.unit.alerts.events_of_others import drifted, event, verdict

ROOT = Path(__file__).parents[2]
START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MONITORS = 5
HOURS = 8_760
STORM = 10_000
BATCH = 100
"""Events that one invocation gets (infra/constructs/alert_engine.py)."""
ENTRIES = 10
"""Events of one call (EventBridge API reference, PutEvents)."""
PUBLISHERS = 4
LIMIT = 900.0
"""Seconds after which a storm is given up: what is missing then is reported as missing."""
PAUSE_SECONDS = 5.0
SUBJECT = "storm-"
GROUP_WAIT, GROUP_INTERVAL = 30, 60
STORM_POLICY = f"""\
alerts:
  receivers:
    operations: {{email: {{}}}}
  route:
    receiver: operations
    group_by: [name, subject]
    group_wait: {GROUP_WAIT} seconds
    group_interval: {GROUP_INTERVAL} seconds
"""
"""People are told at any hour, and what comes after the first notification of a group a minute later."""
POLICY = AlertsPolicy.model_validate(
    {"receivers": {"operations": {"email": {}}}, "route": {"receiver": "operations", "group_by": ["name", "subject"]}}
)


def run() -> Iterator[dict[str, Any]]:
    """Live through the year and the storms."""
    deployed = int(os.environ.get("STORM", "0"))
    if "STORM" not in os.environ or not deployed:
        yield from _year()
        yield from _storm()
    if deployed:
        yield from _deployed_storm(deployed)


def _line(
    name: str, ours: float, peer: float | None, unit: str, *, met: bool | None, goal: str | None
) -> dict[str, Any]:
    ratio = round(ours / peer, 4) if peer else None
    return {
        "area": "alerts",
        "name": name,
        "ours": ours,
        "peer": peer,
        "unit": unit,
        "ratio": ratio,
        "goal": goal,
        "met": met,
    }


# --- a year -----------------------------------------------------------------------------------------------------------


def _windows(seed: int) -> list[bool]:
    """Return for each hour whether a monitor found drift: episodes of hours to days with quiet windows in them."""
    chance, found = random.Random(seed), [False] * HOURS
    hour = 0
    while hour < HOURS:
        if chance.random() < 1 / 300:
            length = chance.randint(4, 72)
            for place in range(hour, min(hour + length, HOURS)):
                found[place] = chance.random() < 0.9
            hour += length
        else:
            found[hour] = chance.random() < 1 / 500
            hour += 1
    return found


def _year() -> Iterator[dict[str, Any]]:
    world, windows = World(POLICY), [_windows(seed) for seed in range(MONITORS)]
    begun = time.process_time()
    for hour in range(HOURS):
        at = START + hour * HOUR
        events = [drifted(found[hour], at=at, monitor=f"monitor-{place}") for place, found in enumerate(windows)]
        world.engine.receive([seen for told in events for seen in observe_event(told, POLICY)], at)
        for minute in range(1, 60, 5):
            world.tick(at + minute * MINUTE)
    cpu = time.process_time() - begun
    bad = sum(sum(found) for found in windows)
    lost, stale = _misses(world, windows)
    yield _line(
        f"notifications of {MONITORS} monitors over a year of hourly windows",
        len(world.sent),
        bad,
        "notifications (peer: one message for each drifted window)",
        met=len(world.sent) < bad,
        goal="fewer",
    )
    yield _line("drifted windows of that year of which nobody was told", lost, None, "windows", met=lost == 0, goal="0")
    yield _line("quiet times in which people still believed in drift", stale, None, "times", met=stale == 0, goal="0")
    count = MONITORS * HOURS
    yield _line(
        "CPU for a window of that year, telling included", round(cpu / count * 1e6), None, "µs", met=None, goal=None
    )


def _misses(world: World, windows: Sequence[Sequence[bool]]) -> tuple[int, int]:
    """Return how many drifted windows nobody was told of, and how often people believed in one that was long over."""
    known: Mapping[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for notification in world.sent:
        for alert in notification.alerts:
            known[alert.labels["monitor"]].append((notification.created_at, alert.status == "firing"))
    lost = stale = 0
    for place, found in enumerate(windows):
        told = known[f"monitor-{place}"]
        times = [at for at, _ in told]
        for hour, is_bad in enumerate(found):
            at = START + hour * HOUR
            index = bisect_right(times, at + 10 * MINUTE) - 1
            believed = index >= 0 and told[index][1]
            lost += is_bad and not believed
            stale += believed and hour > 1 and not any(found[hour - 2 : hour + 1])
    return lost, stale


# --- a storm ----------------------------------------------------------------------------------------------------------


def _violations(count: int, at: datetime) -> list[dict[str, Any]]:
    """Return as many failed gates of a hundred models, within a minute."""
    return [
        verdict(
            "failed",
            at=at + place * (MINUTE / count),
            gate=f"gate-{place // 100}",
            model_name=f"model-{place % 100}",
            model=f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/model-{place % 100}/1",
        )
        for place in range(count)
    ]


def _storm() -> Iterator[dict[str, Any]]:
    for name, events in (
        ("different violations of 100 models", _violations(STORM, START)),
        ("repeats of one violation", _violations(1, START) * STORM),
    ):
        world = World(POLICY)
        begun = time.process_time()
        for place in range(0, len(events), BATCH):
            at = START + MINUTE * place / len(events)
            seen = [each for told in events[place : place + BATCH] for each in observe_event(told, POLICY)]
            world.engine.receive(seen, at)
            world.tick(at)
        for minute in range(1, 12, 5):
            world.tick(START + minute * MINUTE)
        cpu = time.process_time() - begun
        distinct = len({seen.fingerprint for told in events for seen in observe_event(told, POLICY)})
        latest = {each.group: each.firing for each in world.sent}
        lost = distinct - sum(latest.values())
        yield _line(
            f"notifications of {STORM:,} {name} within a minute",
            len(world.sent),
            STORM,
            "notifications (peer: one message for each violation)",
            met=len(world.sent) <= 2 * len(latest),
            goal="at most two for each group: at its wait's end, and for what came after",
        )
        yield _line(
            f"of these, violations that no notification counts ({name})",
            lost,
            None,
            "violations",
            met=lost == 0,
            goal="0",
        )
        yield _line(f"CPU for a violation ({name})", round(cpu / STORM * 1e6), None, "µs", met=None, goal=None)


def _failures(count: int, at: datetime) -> list[dict[str, Any]]:
    """Return as many monitors that cannot look at a hundred endpoints, within a minute: alerts alone hear of them."""
    return [
        event(
            drift.MONITOR_FAILED,
            drift.MonitorFailed(
                monitor=f"monitor-{place // 100}",
                subject=f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{SUBJECT}{place % 100}",
                subject_name=f"{SUBJECT}{place % 100}",
                reason="the endpoint was not called",
                failed_at=at + place * (MINUTE / count),
            ),
        )
        for place in range(count)
    ]


def _deployed_storm(count: int) -> Iterator[dict[str, Any]]:
    with LocalCloud(CloudSettings()) as cloud, TemporaryDirectory() as folder:
        policy = Path(folder) / "hallmark.yaml"
        policy.write_text(STORM_POLICY)
        address = CloudAddress(cloud.endpoint, cloud.account, cloud.region, cloud.child_environment())
        outputs: dict[str, str] = {}
        context = {**LOCAL_CONTEXT, "policy": str(policy)}
        for stack in deploy(ROOT, address, echo=lambda _line: None, context=context).outputs.values():
            outputs |= stack
        ours = _Storm(outputs["AlertsTableName"], cloud.client("dynamodb"), count)
        bus, begun = cloud.client("events"), time.monotonic()
        entries = [_entry(told, outputs["EventBusName"]) for told in _failures(count, datetime.now(UTC) - MINUTE)]
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            answers = pool.map(
                lambda place: bus.put_events(Entries=entries[place : place + ENTRIES]), range(0, count, ENTRIES)
            )
            refused = sum(answer["FailedEntryCount"] for answer in answers)
        sent = time.monotonic() - begun
        _say(f"{count:,} violations published in {sent:.1f} s, {refused} refused")
        _until(ours.open, count, "kept", seconds=LIMIT - (time.monotonic() - begun))
        took = time.monotonic() - begun
        told = _until(ours.counted, count, "told", seconds=LIMIT - took)
        heard = time.monotonic() - begun
        notifications, kept = ours.notifications(), ours.kept()
        yield _line(
            f"notifications of {count:,} different violations through the deployed app on the local cloud",
            notifications,
            count,
            "notifications (peer: one message for each violation)",
            met=notifications <= ours.groups() * (1 + math.ceil(max(0.0, heard - GROUP_WAIT) / GROUP_INTERVAL)),
            goal="one for each group and interval",
        )
        for name, found in (("were not kept", kept), ("nobody was told of", told)):
            yield _line(
                f"of these, violations that {name}", count - found, None, "violations", met=found == count, goal="0"
            )
        yield _line("seconds to publish them", round(sent, 1), 60, "s (peer: a minute)", met=sent <= 60, goal="1")
        for until, seconds in (("all were kept", took), ("a notification had counted each of them", heard)):
            yield _line(
                f"seconds from the first of these violations until {until}",
                round(seconds, 1),
                round(sent, 1),
                "s (peer: publishing them alone)",
                met=None,
                goal=None,
            )


class _Storm:
    """What became of the storm's alerts in the deployed table."""

    def __init__(self, name: str, client: Any, count: int) -> None:
        self._name, self._client, self._count = name, client, count
        self._table = DynamoAlerts(name, client)

    def open(self) -> int:
        """Return how many alerts fire, by their index: reading them all would take the time that is measured."""
        requests = (
            {
                "TableName": self._name,
                "IndexName": LISTS_INDEX,
                "Select": "COUNT",
                "KeyConditionExpression": "#list = :shard",
                "ExpressionAttributeNames": {"#list": "list"},
                "ExpressionAttributeValues": {":shard": {"S": f"OPEN#{shard}"}},
            }
            for shard in range(LIST_SHARDS)
        )
        pages = (page for request in requests for page in self._client.get_paginator("query").paginate(**request))
        return sum(page["Count"] for page in pages)

    def kept(self) -> int:
        """Return how many of the storm's alerts fire."""
        found = self._table.open_records(2 * self._count)
        return sum(record.labels.get("subject", "").startswith(SUBJECT) for record in found)

    def _groups(self) -> list[GroupState]:
        names = self._table.due_groups(datetime.now(UTC) + 24 * HOUR, self._count)
        found = [kept.value for name in names if (kept := self._table.group(name)) is not None]
        return [group for group in found if any(SUBJECT in value for _, value in group.key.labels)]

    def groups(self) -> int:
        """Return how many groups they fell into."""
        return len(self._groups())

    def notifications(self) -> int:
        """Return how many notifications went out."""
        return sum(group.sequence for group in self._groups())

    def counted(self) -> int:
        """Return of how many alerts a notification which was sent tells, or which it counts."""
        groups = [group for group in self._groups() if not group.outbox]
        return len({name for group in groups for told in group.told.values() for name in told.firing})


def _entry(told: Mapping[str, Any], bus: str) -> dict[str, Any]:
    return {
        "EventBusName": bus,
        "Source": told["source"],
        "DetailType": told["detail-type"],
        "Detail": json.dumps(told["detail"]),
    }


def _until(count: Callable[[], int], wanted: int, name: str, *, seconds: float) -> int:
    """Count until all are there or the time is over, a look at a time that costs little beside what is measured."""
    deadline = time.monotonic() + seconds
    while (found := count()) < wanted and time.monotonic() < deadline:
        _say(f"{found:,} of {wanted:,} {name}")
        time.sleep(PAUSE_SECONDS)
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
