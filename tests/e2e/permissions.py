"""Which statement of which role let each request through, as the emulator's IAM evaluates it while the tests run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from local.cloud import LocalCloud


class Grant(NamedTuple):
    """One statement of a role."""

    role: str
    sid: str


class Permissions:
    """What roles were let do, and by which of their statements alone.

    Attributes:
        needed: By statement, the actions for which some request had no other statement to stand on.
        shared: By statement, the actions that another statement of the role allowed as well.
        refused: What roles were not let do: role, action, resource.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.needed: dict[Grant, set[str]] = {}
        self.shared: dict[Grant, set[str]] = {}
        self.refused: set[tuple[str, str, str]] = set()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Watch every evaluation of IAM."""
        from ministack.core import iam_evaluator  # noqa: PLC0415 - MiniStack reads its settings when it is imported

        evaluate_policies: Callable[..., Any] = iam_evaluator.evaluate
        enforce_policies: Callable[..., Any] = iam_evaluator.enforce

        def evaluate(context: Any, policies: Any, *limits: Any) -> Any:
            result = evaluate_policies(context, policies, *limits)
            if result.decision == "Allow" and ":assumed-role/" in context.principal_arn:
                self._note(context, policies)
            return result

        def enforce(*asked: Any, **named: Any) -> Any:
            denied = enforce_policies(*asked, **named)
            if isinstance(denied, iam_evaluator.EvalResult) and ":assumed-role/" in denied.principal_arn:
                _key, action, _service, _region, *resource = asked
                with self._lock:
                    self.refused.add((role_of(denied.principal_arn), action, str([*resource[:1], named])))
            return denied

        iam_evaluator.evaluate, iam_evaluator.enforce = evaluate, enforce
        try:
            yield
        finally:
            iam_evaluator.evaluate, iam_evaluator.enforce = evaluate_policies, enforce_policies

    def _note(self, context: Any, policies: Any) -> None:
        from ministack.core import iam_evaluator  # noqa: PLC0415 - as above

        role = role_of(context.principal_arn)
        matching = [
            statement.sid
            for statements in policies
            for statement in statements
            if iam_evaluator._first_match(context, [statement], "Allow")
        ]
        noted = self.needed if len(matching) == 1 else self.shared
        with self._lock:
            for sid in matching:
                noted.setdefault(Grant(role, sid), set()).add(context.action)


def write_exercised(path: Path, cloud: LocalCloud, permissions: Permissions) -> None:
    """Write which statements of which roles some request stood on alone, and for which actions."""
    found: dict[str, dict[str, list[str]]] = {}
    for stack, logical, grant in grants_of(cloud):
        if grant in permissions.needed:
            found.setdefault(f"{stack}/{name_of(logical)}", {})[grant.sid] = sorted(permissions.needed[grant])
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def name_of(logical: str) -> str:
    """Return the name that the code gives a role, without what CloudFormation needs of it."""
    return re.sub(r"(Role)?[0-9A-F]{8}$", "", logical)


def role_of(principal_arn: str) -> str:
    """Return the role of a session."""
    return principal_arn.split("/")[-2]


def grants_of(cloud: LocalCloud) -> Iterator[tuple[str, str, Grant]]:
    """Yield stack, logical name of the role and each statement of the roles of the deployed stacks."""
    iam, cloudformation = cloud.client("iam"), cloud.client("cloudformation")
    stacks = cloudformation.get_paginator("describe_stacks").paginate()
    for name in [stack["StackName"] for page in stacks for stack in page["Stacks"]]:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        for resource in [resource for page in pages for resource in page["StackResourceSummaries"]]:
            if name.startswith("Hallmark") and resource["ResourceType"] == "AWS::IAM::Role":
                for grant in _grants_of_role(iam, resource["PhysicalResourceId"]):
                    yield name, resource["LogicalResourceId"], grant


def _grants_of_role(iam: Any, role: str) -> Iterator[Grant]:
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for statement in document["Statement"]:
            yield Grant(role, statement.get("Sid", ""))
