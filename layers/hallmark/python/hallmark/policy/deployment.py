"""The policy as a Python package that is deployed beside the functions."""

from __future__ import annotations

import shutil
from pathlib import Path

from hallmark.policy.models import Policy
from hallmark.runtime.policy_files import FOLDER_NAME, section_file

_READ_BY_FUNCTIONS = ("lineage", "evaluation", "gates", "drift", "reviews", "alerts")
"""Sections of the policy that functions read; of the others their deployment tells them."""


def write_policy_package(policy: Policy, source: Path, target: Path) -> None:
    """Write the policy, and the files that it names, as a package.

    Args:
        policy: What was validated.
        source: Folder of the policy file: ``policy/rubrics`` beside it goes with it.
        target: Folder in which the package is made.
    """
    package = target / FOLDER_NAME
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""The policy that this deployment was made with."""\n', encoding="utf-8")
    for section in _READ_BY_FUNCTIONS:
        content = getattr(policy, section).model_dump_json(indent=1)
        (package / section_file(section)).write_text(content, encoding="utf-8")
    rubrics = sorted((source / "policy" / "rubrics").glob("*.yaml"))
    if rubrics:
        (package / "rubrics").mkdir()
    for file in rubrics:
        shutil.copyfile(file, package / "rubrics" / file.name)
