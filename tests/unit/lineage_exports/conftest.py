from __future__ import annotations

import pytest

from hallmark.lineage.exports.material import Material, gather
from tests.fakes.described_lineage import ENDPOINT, described


def material_of(node: str = ENDPOINT, nodes: int = 300) -> Material:
    found = gather(described().answer, node, nodes=nodes)
    assert isinstance(found, Material)
    return found


@pytest.fixture(name="material")
def material_of_the_endpoint() -> Material:
    return material_of()
