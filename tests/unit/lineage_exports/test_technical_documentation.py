from __future__ import annotations

from datetime import date

import pytest

from hallmark.errors import InvalidInputError
from hallmark.lineage.exports.annex_iv import (
    NO_DATE,
    NOBODY,
    POINTS,
    Documentation,
    annex_iv,
    annex_iv_json,
    annex_iv_page,
    read_statements,
)
from hallmark.lineage.exports.holes import Topic, holes
from hallmark.lineage.exports.material import Material, gather
from hallmark.lineage.exports.pages import page_markdown
from hallmark.lineage.model import NodeKind
from tests.fakes.lineage_service import Lineage


def documentation(material: Material, **said: object) -> Documentation:
    return annex_iv(material, read_statements(said))


def sentences(made: Documentation, point: str) -> list[str]:
    return [sentence.text for found in made.answered if found.point.id == point for sentence in found.sentences]


def tasks(made: Documentation, point: str) -> list[str]:
    return [task.what for task in made.tasks if task.point == point]


def test_all_nine_points_of_the_annex_are_there_in_their_order() -> None:
    assert [point.id for point in POINTS] == [
        *(f"1{letter}" for letter in "abcdefgh"),
        *(f"2{letter}" for letter in "abcdefgh"),
        *"3456789",
    ]


def test_what_is_recorded_is_said_with_its_evidence(material: Material) -> None:
    made = documentation(material)

    assert "It is put into service as the API of the endpoint wine-live (InService)." in sentences(made, "1d")
    assert any("2b00bbbb" in text and "wine-prepare-v2" in text for text in sentences(made, "2d"))
    assert any("validation:accuracy 0.9625" in text for text in sentences(made, "2g"))
    assert any("reads well & holds <up>" in text for text in sentences(made, "2e"))
    assert any("alcohol moved" in text for text in sentences(made, "3"))


def test_every_sentence_names_evidence_that_is_in_the_lineage(material: Material) -> None:
    made = documentation(material)
    named = {key for answered in made.answered for sentence in answered.sentences for key in sentence.evidence}

    assert all(sentence.evidence for answered in made.answered for sentence in answered.sentences)
    assert named <= set(material.by_key)
    assert set(made.evidence) == named


def test_what_nobody_said_is_a_task_with_owner_and_date(material: Material) -> None:
    said = {"owner": "quality@example.com", "due": "2027-06-30", "points": {"5": {"owner": "risk@example.com"}}}
    made = documentation(material, **said)
    by_point = {task.point: task for task in made.tasks}

    assert tasks(made, "5") == ["Describe the risk management system (Article 9)."]
    assert (by_point["5"].owner, by_point["5"].due) == ("risk@example.com", "2027-06-30")
    assert by_point["7"].owner == "quality@example.com"
    assert made.statements.due == date(2027, 6, 30)


def test_a_task_without_owner_or_date_says_that_there_is_none(material: Material) -> None:
    made = documentation(material)

    assert {(task.owner, task.due) for task in made.tasks} == {(NOBODY, NO_DATE)}


def test_the_owner_that_a_tag_names_is_who_writes_what_is_missing() -> None:
    lineage = Lineage()
    package = lineage.node(NodeKind.MODEL_PACKAGE, "m")
    lineage.attributes[package] = {"tags": {"owner": "ana@example.com"}}
    found = gather(lineage.answer, package)
    assert isinstance(found, Material)

    assert {task.owner for task in documentation(found).tasks} == {"ana@example.com"}


def test_a_statement_or_a_reason_why_a_point_does_not_apply_ends_its_task(material: Material) -> None:
    points = {"1f": {"not_applicable": "part of no product"}, "8": {"text": "Declared.", "evidence": ["doc-8.pdf"]}}
    made = documentation(material, points=points)
    text = page_markdown(annex_iv_page(made))

    assert tasks(made, "1f") == tasks(made, "8") == []
    assert tasks(made, "1g") == ["Describe the user interface."]
    assert "Does not apply: part of no product" in text
    assert "the provider, doc-8.pdf" in text


def test_every_hole_of_the_lineage_that_a_point_needs_is_one_of_its_tasks() -> None:
    lineage = Lineage()
    package = lineage.node(NodeKind.MODEL_PACKAGE, "m")
    job = lineage.node(NodeKind.TRAINING_JOB, "train", status="Completed")
    lineage.flow(job, package, "generated-by")
    found = gather(lineage.answer, package)
    assert isinstance(found, Material)
    made = documentation(found)
    needed = {Topic.MAKING: "2a", Topic.DATA: "2d", Topic.TESTS: "2g", Topic.APPROVAL: "2e"}

    for hole in holes(found):
        if hole.topic in needed:
            assert f"{hole.what} {hole.remedy}" in tasks(made, needed[hole.topic])
    assert {hole.topic for hole in holes(found)} >= set(needed)


def test_the_json_says_the_same_as_the_page(material: Material) -> None:
    made = documentation(material)
    told = annex_iv_json(made)
    page = annex_iv_page(made)

    assert sum(len(point["tasks"]) for point in told["points"]) == len(page.sections[0].tables[0].rows)
    assert sum(len(point["sentences"]) for point in told["points"]) == sum(
        len(answered.sentences) for answered in made.answered
    )
    assert told["complete"] is False


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"points": {"10": {"text": "x"}}}, "points"),
        ({"points": {"1a": {"texts": "x"}}}, "points.1a.texts"),
        ({"due": "soon"}, "due"),
        ("a text", "the statements"),
    ],
)
def test_statements_that_are_wrong_are_refused_by_name(raw: object, field: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{field} is "):
        read_statements(raw)


def test_a_point_that_yaml_reads_as_a_number_is_the_same_point() -> None:
    assert read_statements({"points": {4: {"text": "x"}}}).points["4"].text == "x"
