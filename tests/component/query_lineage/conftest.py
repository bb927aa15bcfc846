from __future__ import annotations

from collections.abc import Iterator

import pytest

from hallmark.aws import clients


@pytest.fixture(autouse=True)
def own_clients() -> Iterator[None]:
    """Let no client live longer than the account that it was made for."""
    for kept in (clients._client, clients._session):
        kept.cache_clear()
    yield
    for kept in (clients._client, clients._session):
        kept.cache_clear()
