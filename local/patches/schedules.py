"""Schedules fire in their time zone, and are refused where AWS refuses them.

MiniStack reads every expression as UTC, begins to count cron schedules at its first tick, accepts expressions that it
never fires and roles that the scheduler may not assume, has no universal targets, and CloudFormation drops time zone,
start, end, key and what follows completion. Source: "Schedule types in EventBridge Scheduler" (time zones, daylight
saving time), "Using universal targets", user guide.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge, scheduler
from ministack.services.cloudformation import provisioners

from local.patches.replacement import EmulatorChangedError, replace_function
from local.step_functions import integrations, role_sessions
from local.step_functions.cancellation import Cancellation
from local.step_functions.failures import StateFailure
from local.step_functions.integrations import Caller
from local.step_functions.resources import TaskResource

_Document = Mapping[str, Any]
_Answer = tuple[int, dict[str, str], bytes]

_SERVICE = "scheduler.amazonaws.com"
_UNIVERSAL = "arn:aws:scheduler:::"
_REFUSED = 400
_PROPERTIES = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
)


@dataclass(frozen=True)
class Timing:
    """When a schedule fires.

    Attributes:
        expression: ``at(...)``, ``rate(...)`` or ``cron(...)``.
        zone: Time zone of ``at`` and ``cron``.
        anchor: Where ``rate`` begins to count, aware.
    """

    expression: str
    zone: ZoneInfo
    anchor: datetime

    def following(self, after: datetime) -> datetime | None:
        """Return the first moment after ``after`` at which the schedule fires, in UTC; ``None`` if there is none.

        A local time that a change to summer time skips does not fire; one that happens twice fires the first time.

        Raises:
            ValueError: The expression is none.
        """
        if self.expression.startswith("at("):
            moment = datetime.fromisoformat(self.expression[3:-1].strip()).replace(tzinfo=self.zone).astimezone(UTC)
            return moment if moment > after else None
        seconds = int(eventbridge._parse_rate_seconds(self.expression) or 0)
        if seconds:
            passed = max(0, int((after - self.anchor).total_seconds() // seconds))
            return self.anchor + timedelta(seconds=seconds * (passed + 1))
        fields = eventbridge._parse_cron_fields(self.expression)
        if fields is None:
            raise ValueError(f"Invalid Schedule Expression {self.expression}.")
        return self._following_cron(fields, after)

    def _following_cron(self, fields: Any, after: datetime) -> datetime | None:
        # The calendar is walked in local time, which carries UTC's label so that every minute of the day exists.
        local = after.astimezone(self.zone).replace(tzinfo=UTC, fold=0)
        while (local := eventbridge._cron_next_fire(fields, local)) is not None:
            moment: datetime = local.replace(tzinfo=self.zone).astimezone(UTC)
            exists = moment.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None)
            if exists and moment > after:
                return moment
        return None


def apply() -> None:
    """Mend schedules and their resource type.

    Raises:
        EmulatorChangedError: MiniStack's scheduler is no longer what it was.
    """
    if not isinstance(getattr(scheduler, "_schedule_last_fired", None), dict):
        raise EmulatorChangedError("MiniStack's scheduler no longer remembers when schedules fired")
    replace_function(scheduler, "_tick_schedules", (), lambda _original: _tick)
    for name in ("_create_schedule", "_update_schedule"):
        replace_function(scheduler, name, ("name", "body"), _checked)
    handlers = provisioners._RESOURCE_HANDLERS.get("AWS::Scheduler::Schedule")
    if not handlers or not {"create", "update"} <= handlers.keys():
        raise EmulatorChangedError("MiniStack's CloudFormation no longer creates AWS::Scheduler::Schedule itself")
    handlers["create"] = _create_resource
    handlers["update"] = _update_resource


def _timing(schedule: _Document) -> Timing:
    """Read a schedule's timing.

    Raises:
        ValueError: Its time zone or its expression is none.
    """
    name = schedule.get("ScheduleExpressionTimezone") or "UTC"
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"Invalid Timezone {name}.") from error
    begins = scheduler._to_epoch(schedule.get("StartDate")) or scheduler._to_epoch(schedule.get("CreationDate"))
    return Timing(schedule["ScheduleExpression"], zone, datetime.fromtimestamp(begins or time.time(), UTC))


def _checked(original: Any) -> Any:
    def change(name: str, body: dict[str, Any]) -> _Answer:
        role = (body.get("Target") or {}).get("RoleArn")
        wrong = None
        try:
            if body.get("ScheduleExpression"):
                _timing(body).following(datetime.fromtimestamp(0, UTC))
        except ValueError as error:
            wrong = str(error)
        group = f"arn:aws:scheduler:{get_region()}:{get_account_id()}:schedule-group/{body.get('GroupName', 'default')}"
        if wrong is None and role and not role_sessions.trusts(role, [_SERVICE], group):
            wrong = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        if wrong is not None:
            refused: _Answer = scheduler._error(_REFUSED, "ValidationException", wrong)
            return refused
        answer: _Answer = original(name, body)
        scheduler._schedule_last_fired.pop((get_account_id(), get_region(), _key(name, body)), None)
        return answer

    return change


def _key(name: str, body: _Document) -> str:
    return f"{body.get('GroupName', 'default')}/{name}"


def _tick() -> None:
    """Fire what is due."""
    now = datetime.now(UTC)
    for state_key, schedule in list(scheduler._schedules._data.items()):
        account, region, _ = state_key
        end = scheduler._to_epoch(schedule.get("EndDate"))
        if end is not None and now.timestamp() > end:
            _complete(state_key, schedule)
            continue
        if schedule.get("State") != "ENABLED":
            continue
        last = scheduler._schedule_last_fired.get(state_key)
        timing = _timing(schedule)
        after = _since(schedule) if last is None else datetime.fromtimestamp(last, UTC)
        due = timing.following(after)
        if due is None or due > now:
            continue
        scheduler._schedule_last_fired[state_key] = due.timestamp()
        with request_scope(account, region):
            _fire(schedule, due, account, region)
        if timing.expression.startswith("at("):
            _complete(state_key, schedule)


def _since(schedule: _Document) -> datetime:
    """Return the moment after which a schedule that never fired may fire.

    A moment that passed before the schedule was made does not fire, but a one-time one does at once.
    """
    if schedule["ScheduleExpression"].startswith("at("):
        return datetime.fromtimestamp(0, UTC)
    moments = (scheduler._to_epoch(schedule.get(name)) for name in ("StartDate", "LastModificationDate"))
    # A schedule may fire at its start itself.
    return datetime.fromtimestamp(max(moment for moment in moments if moment is not None), UTC) - timedelta(seconds=1)


def _complete(state_key: tuple[str, str, str], schedule: _Document) -> None:
    if schedule.get("ActionAfterCompletion") == "DELETE":
        scheduler._schedules._data.pop(state_key, None)
        scheduler._schedule_last_fired.pop(state_key, None)


def _fire(schedule: _Document, due: datetime, account: str, region: str) -> None:
    target = schedule.get("Target") or {}
    event = {
        "EventId": str(uuid.uuid4()),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": due.timestamp(),
        "Resources": [schedule.get("Arn", "")],
        "Account": account,
        "Region": region,
    }
    if str(target.get("Arn", "")).startswith(_UNIVERSAL):
        _call_universal(target, schedule)
    else:
        eventbridge._invoke_target(target, event, schedule)


def _call_universal(target: _Document, schedule: _Document) -> None:
    service, _, action = target["Arn"].removeprefix(_UNIVERSAL).rpartition(":")
    resource = TaskResource(f"arn:aws:states:::{service}:{action}", service, action)
    caller = Caller(target["RoleArn"], "scheduler", Cancellation())
    try:
        integrations.call(resource, json.loads(target.get("Input") or "{}"), caller)
    except StateFailure as failure:
        scheduler.logger.warning("%s: %s", schedule.get("Arn"), failure)


def _create_resource(logical_id: str, props: _Document, stack_name: str) -> tuple[str, dict[str, str]]:
    name = props.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=64)
    _succeed(scheduler._create_schedule(name, _body(props)))
    return name, {"Arn": scheduler._schedule_arn(props.get("GroupName", "default"), name)}


def _update_resource(
    physical_id: str, old_props: _Document, new_props: _Document, stack_name: str
) -> tuple[str, dict[str, str]]:
    moved = new_props.get("GroupName", "default") != old_props.get("GroupName", "default")
    if moved or new_props.get("Name", physical_id) != physical_id:
        return _create_resource(physical_id, new_props, stack_name)
    _succeed(scheduler._update_schedule(physical_id, _body(new_props)))
    return physical_id, {"Arn": scheduler._schedule_arn(new_props.get("GroupName", "default"), physical_id)}


def _body(props: _Document) -> dict[str, Any]:
    return {name: props[name] for name in _PROPERTIES if name in props}


def _succeed(answer: tuple[int, Any, bytes | str]) -> None:
    """Fail the stack with what the scheduler answered.

    Raises:
        ValueError: It refused.
    """
    status, _, body = answer
    if status >= _REFUSED:
        raise ValueError(body.decode() if isinstance(body, bytes) else body)
