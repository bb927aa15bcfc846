from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from prov.model import ProvActivity, ProvDocument

from hallmark.lineage.exports.material import Material, document_text, gather
from hallmark.lineage.exports.prov import prov_json
from hallmark.lineage.model import NodeKind
from tests.fakes.described_lineage import ANA, ENDPOINT, PACKAGE, TRAINING, described
from tests.fakes.lineage_service import ACCOUNT, BUCKET, shipped_twice


def node(key: str) -> str:
    return f"node:{key.replace('#', '%23').replace(' ', '%20')}"


def pairs(document: dict[str, Any], section: str, later: str, earlier: str) -> set[tuple[str, str]]:
    return {(found[f"prov:{later}"], found[f"prov:{earlier}"]) for found in document[section].values()}


def test_a_document_round_trips_through_the_reference_library(material: Material) -> None:
    text = document_text(prov_json(material))
    read = ProvDocument.deserialize(content=text, format="json")
    again = ProvDocument.deserialize(content=read.serialize(format="json"), format="json")

    assert read == again
    assert len(list(read.get_records())) == sum(
        len(section) for name, section in json.loads(text).items() if name != "prefix"
    )


def test_the_reference_library_understands_every_relation_and_time(material: Material) -> None:
    read = ProvDocument.deserialize(content=document_text(prov_json(material)), format="json")
    text = read.get_provn()

    for word in ("used(", "wasGeneratedBy(", "wasDerivedFrom(", "wasAssociatedWith(", "wasAttributedTo("):
        assert word in text
    activity = next(record for record in read.get_records() if str(record.identifier) == node(TRAINING))
    assert isinstance(activity, ProvActivity)
    assert activity.get_startTime() == datetime(2026, 11, 23, 11, 30, tzinfo=UTC)


def test_a_training_job_used_its_data_and_generated_its_model(material: Material) -> None:
    document = prov_json(material)
    used = pairs(document, "used", "activity", "entity")
    generated = pairs(document, "wasGeneratedBy", "entity", "activity")

    assert (node(TRAINING), node(f"{BUCKET}/wine/v2/train#sha256:2b00bbbb")) in used
    assert (node(PACKAGE), node(TRAINING)) in generated
    assert document["entity"][node(f"{BUCKET}/wine/v2/train#sha256:2b00bbbb")]["hallmark:digest"] == "sha256:2b00bbbb"


def test_an_endpoint_is_derived_from_its_config_and_a_child_job_was_informed_by_its_parent(material: Material) -> None:
    document = prov_json(material)

    assert (node(ENDPOINT), node(f"{ACCOUNT}:endpoint-config/wine-v2")) in pairs(
        document, "wasDerivedFrom", "generatedEntity", "usedEntity"
    )
    assert (node(TRAINING), node(f"{ACCOUNT}:hyper-parameter-tuning-job/wine-tune-v2")) in pairs(
        document, "wasInformedBy", "informed", "informant"
    )


def test_who_made_and_who_approved_are_agents(material: Material) -> None:
    document = prov_json(material)
    attributed = pairs(document, "wasAttributedTo", "entity", "agent")

    assert document["agent"][node(ANA)]["prov:type"]["$"] == "prov:Person"
    assert (node("hallmark:approval/ap-1"), node(ANA)) in attributed


def test_every_edge_between_nodes_of_the_document_is_a_relation(material: Material) -> None:
    document = prov_json(material)
    told = {
        frozenset(end for name, end in relation.items() if name.startswith("prov:") and isinstance(end, str))
        for section, relations in document.items()
        if section not in {"prefix", "entity", "activity", "agent"}
        for relation in relations.values()
    }

    for edge in material.edges:
        assert any({node(edge.source), node(edge.target)} <= ends for ends in told), edge


def test_a_content_is_a_special_case_of_its_place() -> None:
    lineage = shipped_twice()
    found = gather(lineage.answer, f"{BUCKET}/wine/raw#sha256:2a00aaaa")
    assert isinstance(found, Material)

    assert pairs(prov_json(found), "specializationOf", "specificEntity", "generalEntity") == {
        (node(f"{BUCKET}/wine/raw#sha256:2a00aaaa"), node(f"{BUCKET}/wine/raw"))
    }


@pytest.mark.parametrize(("nodes", "whole"), [(300, True), (3, False)])
def test_the_document_says_whether_it_is_whole(nodes: int, whole: bool) -> None:
    found = gather(described().answer, ENDPOINT, nodes=nodes)
    assert isinstance(found, Material)
    about = prov_json(found)["entity"]["hallmark:export"]

    assert about["hallmark:whole"] is whole
    assert ("hallmark:missing" in about) is not whole


def test_the_same_material_gives_the_same_bytes_whatever_order_it_came_in(material: Material) -> None:
    turned = Material(
        start=material.start,
        nodes=tuple(reversed(material.nodes)),
        edges=tuple(reversed(material.edges)),
        shown=material.shown,
    )

    assert document_text(prov_json(turned)) == document_text(prov_json(material))


def test_every_kind_of_node_is_an_entity_an_activity_or_an_agent() -> None:
    lineage = shipped_twice()
    document: dict[str, Any] = {}
    for kind in NodeKind:
        key = lineage.node(kind, f"one {kind.value}", key=f"x:{kind.value}")
        found = gather(lineage.answer, key)
        assert isinstance(found, Material)
        document = prov_json(found)
        assert sum(node(key) in document.get(section, {}) for section in ("entity", "activity", "agent")) == 1
