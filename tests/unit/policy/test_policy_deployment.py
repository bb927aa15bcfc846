"""What was validated is what the functions read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hallmark.evaluation.suites import EvaluationPolicy
from hallmark.policy.deployment import write_policy_package
from hallmark.policy.document import read_policy
from hallmark.runtime.policy_files import PolicyMissingError, policy_folder, read_policy_section

ROOT = Path(__file__).parents[3]


def test_the_deployed_policy_is_the_one_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = read_policy(ROOT / "hallmark.yaml")
    rubrics = tmp_path / "source" / "policy" / "rubrics"
    rubrics.mkdir(parents=True)
    (rubrics / "ours.yaml").write_text("title: Ours\ninstructions: Judge.\n", encoding="utf-8")

    write_policy_package(policy, tmp_path / "source", tmp_path / "python")

    monkeypatch.syspath_prepend(str(tmp_path / "python"))
    monkeypatch.delitem(sys.modules, "hallmark_policy", raising=False)
    assert EvaluationPolicy.model_validate_json(read_policy_section("evaluation")) == policy.evaluation
    assert (policy_folder() / "rubrics" / "ours.yaml").is_file()


def test_a_function_without_its_policy_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "hallmark_policy", raising=False)

    with pytest.raises(PolicyMissingError, match="deploy the stack again"):
        policy_folder()
