"""The pipelines of examples/ci: they parse, their commands are commands of the CLI, their roles trust ``sub`` alone."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from hallmark.cli.main import app

EXAMPLES = Path(__file__).parents[3] / "examples" / "ci"
PIPELINES = ("github-actions.yml", "gitlab-ci.yml", "Jenkinsfile")


def scripts(name: str) -> Iterator[str]:
    """Yield the lines that a pipeline's shells run."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    if name == "Jenkinsfile":
        yield from re.findall(r"\bsh '([^']*)'", text)
        return
    document = yaml.safe_load(text)
    for job in document.get("jobs", document).values():
        if not isinstance(job, dict):
            continue
        for step in job.get("steps", ()):
            yield from str(step.get("run", "")).splitlines()
        for part in ("before_script", "script", "after_script"):
            yield from job.get(part, ())


def commands(name: str) -> list[list[str]]:
    """Return the arguments of each call of ``hallmark``; expressions and variables stand for one word."""
    found = []
    for line in scripts(name):
        for part in re.split(r"&&|\|\||;", re.sub(r"\$\{\{.*?\}\}", "success", line)):
            words = shlex.split(part)
            if words and words[0] == "hallmark":
                found.append(words[1:])
    return found


def parse(arguments: list[str]) -> str:
    """Parse a command line as the CLI does, and run nothing; return the name of the command."""
    command: Any = get_command(app)
    context, names = command.context_class(command, info_name="hallmark"), []
    while hasattr(command, "resolve_command"):
        name, command, arguments = command.resolve_command(context, arguments)
        context = command.context_class(command, parent=context, info_name=name)
        names.append(str(name))
    command.parse_args(context, list(arguments))
    return " ".join(names)


@pytest.mark.parametrize("name", PIPELINES)
def test_each_pipeline_records_itself_and_waits_for_a_gate_with_a_junit_report(name: str) -> None:
    called = [(parse(arguments), arguments) for arguments in commands(name)]

    assert {command for command, _ in called} == {"ci record", "gate check"}
    (gate,) = [arguments for command, arguments in called if command == "gate check"]
    assert {"--wait", "--junit"} <= set(gate)


def test_a_wrong_option_would_be_found() -> None:
    with pytest.raises(Exception, match="No such option: --nonsense"):
        parse(["ci", "record", "--nonsense"])


def test_github_gets_a_token_only_for_this_and_gitlab_an_audience() -> None:
    github = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text(encoding="utf-8"))
    gitlab = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text(encoding="utf-8"))

    # YAML 1.1 reads the key ``on`` as true.
    assert set(github) == {"name", True, "permissions", "jobs"}
    assert github["permissions"] == {"id-token": "write", "contents": "read"}
    assert gitlab[".hallmark"]["id_tokens"]["AWS_TOKEN"]["aud"].startswith("https://")
    assert gitlab["gate"]["artifacts"]["reports"]["junit"] == "gate.xml"
    assert {job["stage"] for job in gitlab.values() if isinstance(job, dict) and "stage" in job} == set(
        gitlab["stages"]
    )


@pytest.mark.parametrize("name", ["trust-github-actions.json", "trust-gitlab-ci.json"])
def test_the_role_trusts_one_branch_of_one_repository_by_sub_and_aud_alone(name: str) -> None:
    document: dict[str, Any] = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    (statement,) = document["Statement"]
    issuer = statement["Principal"]["Federated"].partition("oidc-provider/")[2]

    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"].keys() == {"StringEquals"}
    assert statement["Condition"]["StringEquals"].keys() == {f"{issuer}:aud", f"{issuer}:sub"}
    assert "*" not in json.dumps(document)
