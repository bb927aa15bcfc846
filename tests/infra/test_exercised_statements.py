"""Without any one statement, a request that the end-to-end tests make would be refused: as IAM saw it when they ran.

``EXERCISED_STATEMENTS=tests/infra/exercised_statements.json make test TESTS=tests/e2e`` writes the record anew: for
each statement the actions of those requests that no other statement of the role allowed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from hallmark.policy.document import read_policy
from infra.assets import Platform
from infra.stages import add_hallmark
from tests.e2e.conftest import write_policy
from tests.e2e.permissions import name_of

ROOT = Path(__file__).parents[2]
RECORD, UNASKED = (
    json.loads((Path(__file__).parent / f"{name}_statements.json").read_text(encoding="utf-8"))
    for name in ("exercised", "unasked")
)
EXCUSED = {(role, sid) for reason in UNASKED.values() for role, sids in reason.items() for sid in sids}
"""Statements that no request of these tests stood on; the file says why."""

Statements = Mapping[str, Mapping[str, frozenset[str]]]


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> Statements:
    """Return the actions of each statement, by role, of the app that the end-to-end tests deploy."""
    policy = write_policy(
        tmp_path_factory.mktemp("policy"), {"lineage": {"openlineage": {"url": "http://127.0.0.1:5000"}}}
    )
    app = cdk.App(context=json.loads((ROOT / "cdk.json").read_text())["context"])
    hallmark = add_hallmark(app, policy=read_policy(policy), policy_folder=policy.parent, platform=Platform.LOCAL)
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for stack in hallmark:
        for role, sid, actions in statements(Template.from_stack(stack).to_json()["Resources"]):
            name = f"{role if '/' in role else f'{stack.stack_name}/{role}'}"
            found[name][sid] = found[name].get(sid, frozenset()) | actions
    return found


def statements(resources: Mapping[str, Any]) -> Iterator[tuple[str, str, frozenset[str]]]:
    for policy in [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::Policy"]:
        for role in policy["Roles"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                yield role_name(role), statement["Sid"], frozenset([actions] if isinstance(actions, str) else actions)


def role_name(role: Mapping[str, Any]) -> str:
    if "Ref" in role:
        return name_of(role["Ref"])
    # A name like that of a role, between a prefix and a second hash of eight digits.
    stack, _, exported = role["Fn::ImportValue"].partition(":")
    return f"{stack}/{name_of(exported.removeprefix('ExportsOutputRef')[:-8])}"


def test_each_statement_was_all_that_let_some_request_through_or_says_why_not(allowed: Statements) -> None:
    spare = {
        (role, sid)
        for role, sids in allowed.items()
        for sid in sids
        if sid not in RECORD.get(role, {}) and (role, sid) not in EXCUSED
    }

    assert sorted(spare) == []


def test_what_was_asked_for_is_still_allowed_by_the_statement_it_stood_on(allowed: Statements) -> None:
    lost = {
        (role, sid, action)
        for role, sids in RECORD.items()
        for sid, actions in sids.items()
        for action in actions
        if action not in allowed.get(role, {}).get(sid, ())
    }

    assert sorted(lost) == []


def test_nothing_is_excused_that_is_not_there_or_was_asked_for(allowed: Statements) -> None:
    idle = {(role, sid) for role, sid in EXCUSED if sid not in allowed.get(role, {}) or sid in RECORD.get(role, {})}

    assert sorted(idle) == []
