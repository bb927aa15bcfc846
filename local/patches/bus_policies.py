"""An event bus has a policy of its own, and who puts events is asked for what they are.

MiniStack keeps a bus's policy but never asks it, and its CloudFormation makes none. Sources: "Using resource-based
policies for Amazon EventBridge" and "Using IAM policy conditions in Amazon EventBridge", user guide; of a session,
``aws:PrincipalArn`` is the ARN of its role, path included ("AWS global condition context keys", IAM user guide). The
account's root is asked nothing here, as nowhere in MiniStack; AWS asks the policy of a bus for root too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import eventbridge, iam
from ministack.services.cloudformation import provisioners

from local.patches.replacement import EmulatorChangedError, replace_function

_TYPE = "AWS::Events::EventBusPolicy"
_PUT = "events:PutEvents"
_Properties = Mapping[str, Any]


def apply() -> None:
    """Let CloudFormation make bus policies, and IAM ask them.

    Raises:
        EmulatorChangedError: MiniStack's evaluation is no longer what it was, or it makes bus policies itself.
    """
    if getattr(eventbridge, "bus_policy_for_arn", None) is bus_policy_for_arn:
        return
    if _TYPE in provisioners._RESOURCE_HANDLERS or "events" in iam_evaluator._RESOURCE_POLICY_LOOKUPS:
        raise EmulatorChangedError(f"MiniStack makes or asks {_TYPE} itself now: take this mend out")
    provisioners._RESOURCE_HANDLERS[_TYPE] = {"create": _create, "update": _update, "delete": _delete}
    eventbridge.bus_policy_for_arn = bus_policy_for_arn
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["events"] = ("eventbridge", "bus_policy_for_arn")
    replace_function(iam_evaluator, "_resolve_condition_key", ("key", "ctx"), _with_roles)


def bus_policy_for_arn(arn: str) -> tuple[Any, str] | None:
    """Return the policy of a bus and the account that owns it; nothing where it has none, or it is no bus."""
    _, is_bus, name = arn.partition(":event-bus/")
    policy = eventbridge._event_bus_policies.get(name) if is_bus else None
    return (policy, get_account_id()) if policy else None


def _create(_logical_id: str, properties: _Properties, _stack_name: str) -> tuple[str, dict[str, Any]]:
    bus, statement_id = _named(properties)
    statement = properties.get("Statement")
    if not statement:
        raise ValueError(f"{_TYPE}: only those with a Statement are made here")
    if bus not in eventbridge._event_buses:
        raise ValueError(f"Event bus {bus} does not exist.")
    others = [each for each in _statements(bus) if each.get("Sid") != statement_id]
    kept = {**json.loads(json.dumps(statement)), "Sid": statement_id}
    eventbridge._event_bus_policies[bus] = {"Version": "2012-10-17", "Statement": [*others, kept]}
    return f"{bus}|{statement_id}", {}


def _update(
    _physical_id: str, old: _Properties, new: _Properties, stack_name: str, logical_id: str = ""
) -> tuple[str, dict[str, Any]]:
    if _named(old) != _named(new):
        _delete(_physical_id, old)
    return _create(logical_id, new, stack_name)


def _delete(_physical_id: str, properties: _Properties) -> None:
    bus, statement_id = _named(properties)
    left = [each for each in _statements(bus) if each.get("Sid") != statement_id]
    if left:
        eventbridge._event_bus_policies[bus] = {"Version": "2012-10-17", "Statement": left}
    else:
        eventbridge._event_bus_policies.pop(bus, None)


def _named(properties: _Properties) -> tuple[str, str]:
    return str(properties.get("EventBusName") or "default"), str(properties["StatementId"])


def _statements(bus: str) -> list[dict[str, Any]]:
    policy = eventbridge._event_bus_policies.get(bus)
    return list(policy["Statement"]) if policy else []


def _with_roles(original: Any) -> Any:
    def resolve(key: str, ctx: Any) -> Any:
        found = original(key, ctx)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
            return found
        role = iam._roles.get_scoped(ctx.principal_account, None, iam_evaluator._role_name_from_assumed_arn(found))
        return role["Arn"] if role else found

    return resolve


def conditions(iam_action: str, body: bytes) -> dict[str, list[str]]:
    """Return the condition keys of a request's entries; what cannot be read is refused by the operation itself."""
    if iam_action != _PUT:
        return {}
    try:
        entries = json.loads(body or b"{}").get("Entries", [])
        return {
            "events:source": [str(entry["Source"]) for entry in entries],
            "events:detail-type": [str(entry["DetailType"]) for entry in entries],
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
