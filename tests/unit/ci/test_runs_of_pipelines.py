"""A run of GitHub Actions, GitLab CI/CD or Jenkins is a node with its commit, from the variables that they set."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hallmark.cli.main import app
from hallmark.cli.session import Context
from hallmark.errors import InvalidInputError
from hallmark.lineage.folding import fold
from hallmark.lineage.intake.ci import STATUSES, Artifact, pipeline_fact, read_pipeline
from tests.fakes.foreign_lineage import ForeignLineage
from tests.fakes.lineage_service import CannedService

COMMIT = "ffac537e6cbbf934b08745a378932722df287a53"
# GitHub's reference of default variables, its examples where there are some.
GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "octocat/Hello-World",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_RUN_NUMBER": "3",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_SHA": COMMIT,
    "GITHUB_REF": "refs/heads/feature-branch-1",
    "GITHUB_REF_NAME": "feature-branch-1",
    "GITHUB_WORKFLOW": "train",
    "GITHUB_WORKFLOW_REF": "octocat/Hello-World/.github/workflows/train.yml@refs/heads/feature-branch-1",
    "GITHUB_JOB": "greeting_job",
    "GITHUB_EVENT_NAME": "workflow_dispatch",
    "GITHUB_ACTOR": "octocat",
    "GITHUB_TRIGGERING_ACTOR": "hubot",
}
# GitLab's reference of predefined variables.
GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://gitlab.example.com/ml/churn",
    "CI_PROJECT_PATH": "ml/churn",
    "CI_PIPELINE_ID": "4711",
    "CI_PIPELINE_URL": "https://gitlab.example.com/ml/churn/-/pipelines/4711",
    "CI_PIPELINE_SOURCE": "push",
    "CI_PIPELINE_CREATED_AT": "2026-11-29T09:00:00Z",
    "CI_COMMIT_SHA": COMMIT,
    "CI_COMMIT_REF_NAME": "main",
    "CI_JOB_NAME": "train",
    "CI_JOB_STAGE": "train",
    "CI_JOB_URL": "https://gitlab.example.com/ml/churn/-/jobs/99",
    "CI_JOB_STATUS": "failed",
    "GITLAB_USER_LOGIN": "rosa",
}
# Jenkins' list of variables (/env-vars.html), and those of its Git plugin.
JENKINS = {
    "JENKINS_URL": "https://ci.example.com/jenkins/",
    "BUILD_URL": "https://ci.example.com/jenkins/job/churn/job/main/7/",
    "BUILD_NUMBER": "7",
    "BUILD_TAG": "jenkins-churn-main-7",
    "JOB_NAME": "churn/main",
    "NODE_NAME": "agent-1",
    "GIT_COMMIT": COMMIT,
    "GIT_BRANCH": "origin/main",
    "GIT_URL": "https://bot:token@git.example.com/ml/churn.git",
}
NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)
EXECUTION = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/churn/execution/abcdef123456"


@pytest.mark.parametrize(
    ("environment", "node", "repository"),
    [
        (
            GITHUB,
            "github-actions:github.com/octocat/Hello-World/actions/runs/1658821493/attempts/2",
            "https://github.com/octocat/Hello-World",
        ),
        (GITLAB, "gitlab-ci:gitlab.example.com/ml/churn/-/pipelines/4711", "https://gitlab.example.com/ml/churn"),
        (JENKINS, "jenkins:ci.example.com/jenkins/job/churn/job/main/7", "https://git.example.com/ml/churn.git"),
    ],
    ids=["github", "gitlab", "jenkins"],
)
def test_a_run_is_a_node_that_its_commit_flows_into_and_that_leads_to_what_it_started(
    environment: dict[str, str], node: str, repository: str
) -> None:
    lineage = ForeignLineage()
    artifact = Artifact("s3://models/7/model.tar.gz", f"sha256:{'ab' * 32}")
    fact = pipeline_fact(
        read_pipeline(environment),
        at=NOW,
        status="success",
        reason="monthly",
        inputs=["s3a://lake/raw/"],
        artifacts=[artifact],
        outputs=["111122223333.dkr.ecr.eu-west-1.amazonaws.com/churn@sha256:" + "0" * 64],
        started=[EXECUTION],
    )
    lineage.intake.receive(fact)

    assert lineage.upstream(EXECUTION) == {node, f"git:{repository}@{COMMIT}", "s3://lake/raw"}
    assert lineage.upstream(f"s3://models/7/model.tar.gz#sha256:{'ab' * 32}") >= {node}
    view = fold(lineage.store.states(node))
    assert (view.status, view.attributes["reason"]) == ("Completed", "monthly")
    assert view.attributes["tool"] == node.partition(":")[0]
    assert view.attributes["code"] == {
        "repository": repository,
        "commit": COMMIT,
        "branch": view.attributes["code"]["branch"],
    }
    assert "token" not in str(lineage.store.snapshot())


def test_github_says_who_started_this_attempt_and_gitlab_how_the_job_ended() -> None:
    assert read_pipeline(GITHUB).attributes["actor"] == "hubot"
    fact = pipeline_fact(read_pipeline(GITLAB), at=NOW)
    assert (fact["status"], fact["since"], fact["attributes"]["actor"]) == ("Failed", "2026-11-29T09:00:00Z", "rosa")


@pytest.mark.parametrize(
    ("environment", "field"),
    [
        ({}, "the environment"),
        ({**GITHUB, "GITHUB_SHA": ""}, "the variable GITHUB_SHA"),
        ({name: value for name, value in JENKINS.items() if name != "BUILD_URL"}, "the variable BUILD_URL"),
    ],
)
def test_an_environment_that_does_not_tell_is_refused_by_variable(environment: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_pipeline(environment)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("more", "field"),
    [({"status": "fine"}, "--status"), ({"started": ["churn"]}, "--started"), ({"inputs": ["x"]}, "--input")],
)
def test_a_word_that_tells_nothing_is_refused_by_option(more: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        pipeline_fact(read_pipeline(GITHUB), at=NOW, **more)
    assert refused.value.field == field


def test_every_word_of_the_three_tools_for_an_end_is_known() -> None:
    github = {"success", "failure", "cancelled"}
    gitlab = {"success", "failed", "canceled"}
    jenkins = {"SUCCESS", "UNSTABLE", "FAILURE", "NOT_BUILT", "ABORTED"}
    assert {word.lower() for word in github | gitlab | jenkins} <= STATUSES.keys()


def run(
    environment: dict[str, str], arguments: list[str], lineage: ForeignLineage, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "BUILD_TAG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def receive(output: str, payload: Any) -> dict[str, Any]:
        assert output == "ReceiveLineageFunctionName"
        taken = lineage.intake.receive(payload["events"], payload["by"])
        return {"events": taken.events, "ignored": 0, "nodes": list(taken.nodes), "unmatchedInputs": []}

    context = Context(lambda: CannedService(functions=receive), Console(width=200), Console(width=200, stderr=True))
    result = CliRunner().invoke(app, ["ci", "record", *arguments], obj=context)
    return result.exit_code, result.output


def test_the_command_records_the_files_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "model.tar.gz"
    made.write_bytes(b"weights")
    lineage = ForeignLineage()
    monkeypatch.setattr("hallmark.cli.ci.datetime", type("Clock", (), {"now": staticmethod(lambda _: NOW)}))
    code, output = run(GITLAB, ["--status", "success", "--started", "", "--artifact", str(made)], lineage, monkeypatch)

    assert (code, "Completed: 2 flows" in output) == (0, True), output
    digest = hashlib.sha256(b"weights").hexdigest()
    assert any(node.endswith(f"#sha256:{digest}") for node in lineage.nodes("dataset-version"))


def test_a_missing_file_is_told_and_fails_a_run_that_succeeded_but_not_one_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hallmark.cli.ci.datetime", type("Clock", (), {"now": staticmethod(lambda _: NOW)}))
    for status, expected in (("success", 1), ("failure", 0)):
        lineage = ForeignLineage()
        code, output = run(GITHUB, ["--status", status, "--artifact", "none.json"], lineage, monkeypatch)

        assert (code, "none.json: there is no such file" in output) == (expected, True), output
        (state,) = [state for state in lineage.store.all_states if state.node.kind.value == "run"]
        assert state.attributes["missing_artifacts"] == ["none.json"]


def test_outside_of_ci_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = run({}, [], ForeignLineage(), monkeypatch)
    assert (code, "run this in a job of GitHub Actions" in output) == (1, True)
