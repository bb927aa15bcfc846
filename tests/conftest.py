"""Which tests stay together when they run in several processes."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SHARES_A_CLOUD = ("e2e", "component/local_cloud")
"""Folders whose tests share one local cloud: it costs seconds to start, and a process holds one at a time."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        file = item.path.relative_to(TESTS)
        group = next((folder for folder in SHARES_A_CLOUD if file.is_relative_to(folder)), file.as_posix())
        item.add_marker(pytest.mark.xdist_group(group))
