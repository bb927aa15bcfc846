from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from local.deployment import CdkTool, DeploymentError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the pinned tool and a Node.js of its own."""
    package = tmp_path / "node_modules" / "aws-cdk"
    package.mkdir(parents=True)
    (tmp_path / "package.json").write_text(json.dumps({"devDependencies": {"aws-cdk": "2.1"}}))
    (package / "package.json").write_text(json.dumps({"version": "2.1", "engines": {"node": ">= 18.0.0"}}))
    (tmp_path / "bin").mkdir()
    say_version(tmp_path, "v22.1.0")
    return tmp_path


def say_version(checkout: Path, version: str) -> None:
    node = checkout / "bin" / "node"
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)


def open_tool(checkout: Path) -> CdkTool:
    return CdkTool(checkout, path=f"{checkout / 'bin'}{os.pathsep}/bin")


def test_the_pinned_tool_is_taken(checkout: Path) -> None:
    open_tool(checkout)


def test_a_missing_node_is_named_with_the_remedy(checkout: Path) -> None:
    (checkout / "bin" / "node").unlink()

    with pytest.raises(DeploymentError, match=r"Node\.js is not on the PATH.*install Node\.js 20"):
        CdkTool(checkout, path=str(checkout / "bin"))


@pytest.mark.parametrize("version", ["v16.20.0", "segmentation fault"])
def test_a_node_that_is_too_old_or_broken_is_named_with_what_is_needed(checkout: Path, version: str) -> None:
    say_version(checkout, version)

    with pytest.raises(DeploymentError, match=r"the CDK needs >= 18\.0\.0"):
        open_tool(checkout)


def test_a_missing_tool_is_named_with_the_remedy(checkout: Path) -> None:
    (checkout / "node_modules" / "aws-cdk" / "package.json").unlink()

    with pytest.raises(DeploymentError, match="run `npm ci`"):
        open_tool(checkout)


def test_a_tool_that_is_not_the_pinned_one_is_named_with_the_remedy(checkout: Path) -> None:
    (checkout / "package.json").write_text(json.dumps({"devDependencies": {"aws-cdk": "2.2"}}))

    with pytest.raises(DeploymentError, match=r"holds aws-cdk 2\.1, package\.json pins 2\.2: run `npm ci`"):
        open_tool(checkout)
