"""Which tests stay together when they run in several processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

SHARES_A_CLOUD = ("tests/e2e", "tests/component/local_cloud")
"""Folders whose tests share one local cloud: it costs seconds to start, and a process holds one at a time."""


class ByCloud(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keeps the tests of a file in one process, and those of a folder that shares a cloud."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in SHARES_A_CLOUD if Path(file).is_relative_to(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByCloud:
    """Use it for every distribution."""
    return ByCloud(config, log)
