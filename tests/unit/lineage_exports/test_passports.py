from __future__ import annotations

import re
from html.parser import HTMLParser

from hallmark.lineage.exports.cyclonedx import cyclonedx
from hallmark.lineage.exports.holes import holes
from hallmark.lineage.exports.material import Material, gather
from hallmark.lineage.exports.model_card import model_card
from hallmark.lineage.exports.pages import page_html, page_markdown
from hallmark.lineage.exports.passport import passport
from hallmark.lineage.model import NodeKind
from tests.fakes.described_lineage import ANA, ENDPOINT, PACKAGE, TRAINING, described
from tests.fakes.lineage_service import ACCOUNT, RAW, Lineage, shipped_twice

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"><title>a picture</title></svg>'


class Page(HTMLParser):
    """A page as a reader sees it: its text, its elements, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def material_of(lineage: Lineage, node: str, nodes: int = 300) -> Material:
    found = gather(lineage.answer, node, nodes=nodes)
    assert isinstance(found, Material)
    return found


def sentences(material: Material) -> list[str]:
    return [hole.what for hole in holes(material)]


def test_a_page_tells_all_that_is_asked_of_a_model(material: Material) -> None:
    text = " ".join(Page(page_html(passport(material), PICTURE)).text.split())

    for told in (
        "wine-live",
        "sha256:2b00bbbb",
        "validation:accuracy",
        "0.9625",
        "max_depth",
        "staging: wine v2: Passed",
        "0.93 … 0.98",
        "approved for production",
        "reads well & holds <up>",
        ANA,
        "200 of 200",
        "drift of wine-live",
        "alcohol moved",
        "git:https://example.com/wine@9d4fa1c2",
        "sagemaker-scikit-learn@sha256:3f8c1d22",
        "2026-11-23 11:30 to 11:45",
        "1 x ml.m5.large",
        "a picture",
    ):
        assert told in text, told


def test_a_program_that_a_job_reads_as_data_is_not_what_a_model_was_trained_on() -> None:
    lineage = described()
    archive = lineage.node(NodeKind.DATASET_VERSION, "sourcedir", key="s3://code/sourcedir.tar.gz#sha256:c0de")
    drivers = lineage.node(NodeKind.DATASET_VERSION, "drivers", key="s3://code/drivers#sha256:d0de")
    lineage.flow(archive, TRAINING, "code")
    lineage.flow(drivers, TRAINING, "sm_drivers")

    material = material_of(lineage, ENDPOINT)
    page = passport(material)

    glance = dict(page.glance)
    assert "sourcedir" not in glance["Trained on"]
    tables = {section.title: section.tables for section in page.sections}
    told = {title: str(found) for title, found in tables.items()}
    assert "sourcedir.tar.gz" not in told["Data"]
    assert "sourcedir.tar.gz" in told["How it was made"]
    assert archive not in [node.key for node in material.read_by(TRAINING)]
    assert "sourcedir" not in str(model_card(material)["training_details"])
    card = next(each["modelCard"] for each in cyclonedx(material)["components"] if "modelCard" in each)
    refs = [each["ref"] for each in card["modelParameters"]["datasets"]]
    assert refs
    assert archive not in refs


def test_a_page_is_well_formed_and_loads_and_runs_nothing(material: Material) -> None:
    text = page_html(passport(material), PICTURE)
    page = Page(text)

    assert page.open == []
    assert not {"script", "link", "img", "iframe", "a"} & set(page.seen)
    assert not {name for name, _ in page.attributes if name in {"src", "href"} or name.startswith("on")}
    assert "url(" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_no_text_of_a_lineage_becomes_part_of_the_page() -> None:
    lineage, evil = Lineage(), '"><img src=x onerror=alert(1)>{{foot}}'
    package = lineage.node(NodeKind.MODEL_PACKAGE, evil, status=evil)
    job = lineage.node(NodeKind.TRAINING_JOB, evil + "job", status="Completed")
    lineage.attributes[package] = {"approval_description": evil, "created_by": evil}
    lineage.attributes[job] = {"hyperparameters": {evil: evil}, "metrics": {evil: 1.0}}
    lineage.flow(job, package, evil)
    page = Page(page_html(passport(material_of(lineage, package)), PICTURE))

    assert "img" not in page.seen
    assert evil in page.text


def test_a_whole_lineage_leaves_only_the_beginning_open(material: Material) -> None:
    assert sentences(material) == ["No data is known that wine-tune-v2 read."] or sentences(material) == [
        "No run is known that made raw v2 (2a00aaaa): what is recorded begins here."
    ]


def test_what_is_not_known_is_said_plainly() -> None:
    lineage = Lineage()
    package = lineage.node(NodeKind.MODEL_PACKAGE, "m")
    job = lineage.node(NodeKind.TRAINING_JOB, "train", status="Completed")
    place = lineage.node(NodeKind.DATASET, "s3://b/raw", key="s3://b/raw")
    image = lineage.node(NodeKind.IMAGE, "own:latest", key="own:latest")
    lineage.attributes[job] = {"inputs": [{"uri": "s3://b/raw", "refused": "access denied"}], "event_only": True}
    lineage.flow(place, job, "train")
    lineage.flow(image, job, "image")
    lineage.flow(job, package, "generated-by")
    found = sentences(material_of(lineage, package))

    assert "No commit is known of train." in found
    assert "The content of s3://b/raw that train read is not known: access denied." in found
    assert "The image own:latest is known by its tag only, which can be moved." in found
    assert "train was gone before it could be described: only its event tells of it." in found
    assert {"No evaluation is known.", "No approval by a person is known."} <= set(found)
    assert "No person is known who made or approved any of it." in found


def test_a_commit_that_only_the_job_tells_of_is_no_hole() -> None:
    lineage = Lineage()
    job = lineage.node(NodeKind.TRAINING_JOB, "train", status="Completed")
    lineage.attributes[job] = {"code": {"commit": "9d4fa1c2"}}

    assert "No commit is known of train." not in sentences(material_of(lineage, job))


def test_a_page_that_was_cut_says_so_first_and_claims_no_absence() -> None:
    cut = material_of(described(), ENDPOINT, nodes=4)
    text = page_html(passport(cut), PICTURE)

    assert "This page is not whole: only the nearest 4 nodes" in text
    assert "No evaluation is known among what was read." in sentences(cut)
    assert "No evaluation is known." not in sentences(cut)


def test_the_text_has_the_same_sections_and_no_markup_of_others(material: Material) -> None:
    text, made = page_markdown(passport(material)), passport(material)

    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [s.title for s in made.sections]
    assert "sha256:2b00bbbb" in text
    assert "\\<script\\>" in text
    for table in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_any_node_has_a_passport() -> None:
    for node in (PACKAGE, TRAINING, RAW, f"{ACCOUNT}:model/wine-v2"):
        assert Page(page_html(passport(material_of(shipped_twice(), node)), PICTURE)).open == []


def test_the_same_material_gives_the_same_bytes() -> None:
    pages = {page_html(passport(material_of(described(), ENDPOINT)), PICTURE) for _ in range(2)}

    assert len(pages) == 1
