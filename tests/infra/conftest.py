"""The template that the app makes, once for all tests of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from hallmark.policy.document import read_policy
from infra.assets import Platform
from infra.stages import add_hallmark

ROOT = Path(__file__).parents[2]

Resources = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="session")
def stacks() -> Mapping[str, Resources]:
    """Return the resources of each stack, by its name."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(context=context)
    hallmark = add_hallmark(
        app, policy=read_policy(ROOT / "hallmark.yaml"), policy_folder=ROOT, platform=Platform.LOCAL
    )
    return {stack.stack_name: Template.from_stack(stack).to_json()["Resources"] for stack in hallmark}


@pytest.fixture(scope="session")
def resources(stacks: Mapping[str, Resources]) -> Resources:
    return stacks["HallmarkLineage"]
