from __future__ import annotations

from importlib.metadata import version

from hallmark import VERSION


def test_the_package_says_the_version_of_its_distribution() -> None:
    assert version("hallmark") == VERSION
