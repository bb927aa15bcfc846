"""Which tests stay together when they run in several processes, and how properties are searched."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import typer.main
import typer.testing
from botocore.hooks import EventAliaser
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# No example is judged by how long it takes, which is the machine's affair, and a checkout has the same result wherever
# it is tested. `pytest --hypothesis-profile=explore` looks for new examples.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", _UNHURRIED, derandomize=True)
settings.register_profile("explore", _UNHURRIED, max_examples=500)
settings.load_profile("repeatable")

# A search for garbage comes after 20,000 new objects, not 700: nearly all that tests make is gone without one.
gc.set_threshold(20_000, 20, 50)

# Each session of an SDK reads the descriptions of services for itself, three times as long as it takes to make a client
# of them; thousands are made here.
vars(botocore.session)["create_loader"] = cache(botocore.session.create_loader)
# Likewise each client works out what the SDK's events are called now, which is the same for all.
_events: Any = EventAliaser
_events._alias_event_name = staticmethod(_events(None)._alias_event_name)

# And each call of a command in a test makes the whole command line anew, a tenth of a second long.
vars(typer.testing)["_get_command"] = cache(typer.main.get_command)

# `make check` lets the CDK judge the templates once, which takes it longer than making them; no test does so again.
os.environ["CDK_VALIDATION"] = "false"

SHARES = ("tests/e2e", "tests/component/local_cloud", "tests/component/mlflow_server", "tests/infra")
"""Folders whose tests share what takes seconds to make: a cloud (of which a process holds one), a server, templates."""


class BySharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keeps the tests of a file in one process, and those of a folder that shares something."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in SHARES if Path(file).is_relative_to(folder)), file)

    def _assign_work_unit(self, node: Any) -> None:
        """Begin with the folders that take longest, so that no process ends alone with one of them."""
        for folder in reversed(SHARES):
            if folder in self.workqueue:
                self.workqueue.move_to_end(folder, last=False)
        super()._assign_work_unit(node)


def _set_aside() -> None:
    """Leave what is there out of each later search for garbage: it stays, and is a million objects."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    """Set aside what collecting has imported."""
    _set_aside()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Set aside what the tests of a file have imported and read, once what they share has been taken down."""
    done = yield
    if nextitem is None or nextitem.path != item.path:
        _set_aside()
    return done


def pytest_unconfigure() -> None:
    """Let the interpreter take down at its end what was set aside."""
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySharing:
    """Use it for every distribution."""
    return BySharing(config, log)
