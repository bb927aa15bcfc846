"""The team's policy as it was deployed: a layer beside the code, with the scorers and rubrics that it names."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hallmark.errors import HallmarkError

FOLDER_NAME = "hallmark_policy"
"""Package of the policy's layer."""


class PolicyMissingError(HallmarkError):
    """The function was deployed without the policy's layer."""


def policy_folder() -> Path:
    """Return the folder of the deployed policy.

    Raises:
        PolicyMissingError: It is not there.
    """
    found = find_spec(FOLDER_NAME)
    if found is None or found.origin is None:
        raise PolicyMissingError(f"the package {FOLDER_NAME} is missing: deploy the stack again, its layer brings it")
    return Path(found.origin).parent


def section_file(section: str) -> str:
    """Return the name of the file that holds a section of the policy."""
    return f"{section}.json"


def read_policy_section(section: str) -> str:
    """Return a section of the policy (``evaluation``, ``gates`` …), as JSON.

    Raises:
        PolicyMissingError: It is not there.
    """
    return (policy_folder() / section_file(section)).read_text(encoding="utf-8")
