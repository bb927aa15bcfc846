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
def resources() -> Resources:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(context=context)
    hallmark = add_hallmark(
        app, policy=read_policy(ROOT / "hallmark.yaml"), policy_folder=ROOT, platform=Platform.LOCAL
    )
    found: Resources = Template.from_stack(hallmark.lineage).to_json()["Resources"]
    return found
