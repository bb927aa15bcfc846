from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.cli.looks import KINDS, look_of
from hallmark.cli.pictures.lettering import fitted, text_width, xml_text
from hallmark.cli.pictures.mermaid import draw_mermaid, mermaid_text
from hallmark.cli.pictures.page import draw_page, script_json
from hallmark.cli.pictures.scene import KEPT_ALIKE, Scene, compose
from hallmark.cli.pictures.svg import draw_svg
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Direction
from tests.fakes.lineage_service import BUCKET, ENDPOINT, RAW, Lineage, shipped_twice

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('x')</script> \"quoted\" & `ticks` ]]> --> ${x} \x00\x1f\u202e 訓練 {{scene}} #quot; end"
Draw = Callable[[Scene], str]


def scene_of(lineage: Lineage, start: str = ENDPOINT, *, cut: bool = False, fold: bool = True) -> Scene:
    answer = lineage.trace(start, Direction.DOWN if start == RAW else Direction.UP)
    return compose("Lineage of wine-live", answer.nodes, answer.edges, start, cut=cut, fold=fold)


def hostile_scene() -> Scene:
    lineage = Lineage()
    end = lineage.node(NodeKind.ENDPOINT, HOSTILE, key="end", status=HOSTILE)
    lineage.flow(lineage.node(NodeKind.MODEL, HOSTILE, key=HOSTILE), end, HOSTILE)
    return compose(HOSTILE, lineage.nodes.values(), lineage.edges, end)


def parsed(xml: str) -> ElementTree.Element:
    return ElementTree.fromstring(xml)  # noqa: S314 - nobody else wrote it


def figures(svg: str) -> list[ElementTree.Element]:
    return [group for group in parsed(svg).iter(f"{SVG}g") if group.get("class") == "figure"]


@pytest.mark.parametrize("children", [4, 40])
@pytest.mark.parametrize(("start", "direction"), [(RAW, Direction.DOWN), (ENDPOINT, Direction.UP)])
def test_every_node_is_in_exactly_one_figure(children: int, start: str, direction: Direction) -> None:
    answer = shipped_twice(children).trace(start, direction)
    scene = compose("", answer.nodes, answer.edges, start)

    members = [node.key for figure in scene.figures for node in figure.members]
    assert sorted(members) == sorted(node.key for node in answer.nodes)
    assert len(figures(draw_svg(scene))) == len(scene.figures)


def test_many_alike_are_folded_with_what_hangs_on_each_of_them() -> None:
    scene = scene_of(shipped_twice(16), RAW)
    folded = sorted(figure.label for figure in scene.figures if figure.others)

    # Of 16 children the best one leads on; of the others, all but KEPT_ALIKE are folded, with their models.
    more = 16 - 1 - KEPT_ALIKE
    assert folded == [f"{more} more dataset versions"] * 2 + [f"{more} more training jobs"] * 2
    jobs = next(number for number, figure in enumerate(scene.figures) if figure.label == f"{more} more training jobs")
    models = [scene.figures[flow.target] for flow in scene.flows if flow.source == jobs]
    assert [model.label for model in models] == [f"{more} more dataset versions"]


def test_a_folded_box_tells_how_many_had_which_status() -> None:
    scene = scene_of(shipped_twice(16), RAW)
    statuses = {figure.status for figure in scene.figures if figure.kind is NodeKind.TRAINING_JOB and figure.others}

    assert statuses == {f"{16 - 2 - KEPT_ALIKE} Completed, 1 Failed"}


def test_what_was_asked_about_is_never_folded() -> None:
    lineage = Lineage()
    tuning = lineage.node(NodeKind.TUNING_JOB, "tune")
    jobs = [lineage.node(NodeKind.TRAINING_JOB, f"tune-{number:02d}") for number in range(12)]
    for job in jobs:
        lineage.flow(tuning, job, "parent")
    scene = compose("", lineage.nodes.values(), lineage.edges, jobs[-1])

    assert [figure.label for figure in scene.figures if figure.is_start] == ["tune-11"]
    assert [figure.others for figure in scene.figures if figure.others] == [11 - KEPT_ALIKE]


def test_few_alike_are_all_shown() -> None:
    assert not any(figure.others for figure in scene_of(shipped_twice(4), RAW).figures)


def test_unfolded_every_node_has_a_box_of_its_own() -> None:
    scene = scene_of(shipped_twice(16), RAW, fold=False)

    assert {len(figure.members) for figure in scene.figures} == {1}


def test_many_inputs_alike_are_folded_too() -> None:
    lineage = Lineage()
    job = lineage.node(NodeKind.TRAINING_JOB, "train")
    for number in range(12):
        lineage.flow(lineage.version(f"shards/{number:02d}", 1, f"{number:08d}"), job, f"shard-{number}")
    scene = scene_of(lineage, job)

    assert [figure.label for figure in scene.figures if figure.others] == ["9 more dataset versions"]


def test_a_dataset_with_one_version_is_shown_in_its_box_and_one_with_two_stands_alone() -> None:
    labels = [figure.label for figure in scene_of(shipped_twice()).figures]

    assert "raw" in labels
    assert "train" not in labels
    assert "train v1 (1b00bbbb)" in labels


@given(
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=50),
    st.lists(st.sampled_from(list(NodeKind)), min_size=15, max_size=15),
)
@settings(max_examples=150, deadline=None)
def test_no_node_is_lost_whatever_the_graph(pairs: list[tuple[int, int]], kinds: list[NodeKind]) -> None:
    lineage = Lineage()
    keys = [lineage.node(kind, f"node {number}") for number, kind in enumerate(kinds)]
    for source, target in pairs:
        lineage.flow(keys[source], keys[target], "version")
    scene = compose("any", lineage.nodes.values(), lineage.edges, keys[0])

    assert sorted(node.key for figure in scene.figures for node in figure.members) == sorted(keys)
    assert all(0 <= end < len(scene.figures) for flow in scene.flows for end in (flow.source, flow.target))
    parsed(draw_svg(scene))


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=50))
@settings(max_examples=100, deadline=None)
def test_folding_keeps_what_leads_to_what(pairs: list[tuple[int, int]]) -> None:
    lineage = Lineage()
    keys = [lineage.node(NodeKind.MODEL, f"node {number}") for number in range(15)]
    for source, target in pairs:
        lineage.flow(keys[source], keys[target])
    scene = compose("any", lineage.nodes.values(), lineage.edges, keys[0])
    place = {node.key: number for number, figure in enumerate(scene.figures) for node in figure.members}
    drawn = {(flow.source, flow.target) for flow in scene.flows}

    assert drawn == {(place[keys[source]], place[keys[target]]) for source, target in pairs}


@pytest.mark.parametrize("draw", [draw_svg, draw_mermaid, draw_page])
def test_the_same_answer_gives_the_same_picture(draw: Draw) -> None:
    lineage = shipped_twice(6)

    assert draw(scene_of(lineage)) == draw(scene_of(lineage))


@pytest.mark.parametrize("draw", [draw_svg, draw_mermaid, draw_page])
def test_the_order_of_the_edges_in_an_answer_does_not_change_the_picture(draw: Draw) -> None:
    answer = shipped_twice(6).trace(ENDPOINT)
    one = compose("x", answer.nodes, answer.edges, ENDPOINT)
    other = compose("x", answer.nodes, tuple(reversed(answer.edges)), ENDPOINT)

    assert draw(one) == draw(other)


def test_the_svg_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    svg = draw_svg(scene_of(shipped_twice()))
    root = parsed(svg)

    assert root.tag == f"{SVG}svg"
    assert not list(root.iter(f"{SVG}script")) + list(root.iter(f"{SVG}image"))
    assert "href" not in svg
    assert [float(number) for number in root.get("viewBox", "").split()][:2] == [0, 0]


def test_each_box_has_its_full_name_in_its_title() -> None:
    lineage = shipped_twice()
    titles = [group.findtext(f"{SVG}title") or "" for group in figures(draw_svg(scene_of(lineage)))]

    for node in lineage.trace(ENDPOINT).nodes:
        if node.kind is not NodeKind.DATASET:
            assert any(node.key in title for title in titles), node.key


def test_the_legend_tells_every_kind_in_the_picture_and_how_many() -> None:
    root = parsed(draw_svg(scene_of(shipped_twice())))
    legend = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "legend")
    said = [text.text for text in legend.iter(f"{SVG}text")]

    assert {"2 model packages", "1 endpoint", "2 tuning jobs", "1 image"} <= set(said)


def test_a_cut_answer_is_drawn_as_incomplete_and_a_whole_one_is_not() -> None:
    for draw in (draw_svg, draw_mermaid, draw_page):
        assert "incomplete" in draw(scene_of(shipped_twice(), cut=True)).lower()
        assert "incomplete" not in draw(scene_of(shipped_twice())).lower()


def test_what_no_longer_holds_is_dashed() -> None:
    lineage = shipped_twice()
    root = parsed(draw_svg(scene_of(lineage)))
    flows = [group for group in root.iter(f"{SVG}g") if group.get("class") == "flow"]
    dashed = [
        group.findtext(f"{SVG}title")
        for group in flows
        if any(path.get("stroke-dasharray") for path in group.iter(f"{SVG}path"))
    ]

    assert dashed == ["wine-v1 to wine-live: config (no longer)"]


def test_hostile_labels_stay_text_in_the_svg() -> None:
    root = parsed(draw_svg(hostile_scene()))

    assert not [element for element in root.iter() if element.tag.lower().endswith("script")]
    assert "<script>alert('x')</script>" in (root.findtext(f"{SVG}title") or "")


class Elements(HTMLParser):
    """The elements of a page, and the texts of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


def test_hostile_labels_stay_text_in_the_page() -> None:
    page = Elements()
    page.feed(draw_page(hostile_scene()))

    # Its own two scripts and no other: what is in them, and what they are told.
    assert len(page.scripts) == 2
    assert HOSTILE in json.loads(page.scripts[0])["figures"][0]["members"][0].values()
    assert "alert" not in page.scripts[1]


def test_the_page_loads_nothing_and_allows_nothing_to_be_loaded() -> None:
    page = Elements()
    text = draw_page(scene_of(shipped_twice()))
    page.feed(text)

    policy = next(attrs["content"] for tag, attrs in page.found if attrs.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'")
    assert not [attrs for _, attrs in page.found if {"src", "href", "srcset"} & attrs.keys()]
    assert not re.findall(r"url\(|@import|fetch\(|XMLHttpRequest|WebSocket", text)


def test_the_page_knows_each_figure_by_the_number_that_the_picture_gives_it() -> None:
    scene = scene_of(shipped_twice())
    page = Elements()
    text = draw_page(scene)
    page.feed(text)
    told = json.loads(page.scripts[0])
    numbers = [int(attrs["data-number"] or "") for _, attrs in page.found if "data-number" in attrs]

    assert numbers == list(range(len(scene.figures)))
    assert [figure["label"] for figure in told["figures"]] == [figure.label for figure in scene.figures]


@given(st.text())
def test_json_in_a_script_element_cannot_end_it_and_comes_back_whole(text: str) -> None:
    written = script_json([text])

    assert not re.search(r"[<>&\u2028\u2029]", written)
    assert json.loads(written) == [text]


@given(st.text())
def test_any_text_becomes_xml_that_can_be_read(text: str) -> None:
    element = parsed(f'<a b="{xml_text(text)}">{xml_text(text)}</a>')

    assert element.tag == "a"
    assert not list(element)


@given(st.text(max_size=80), st.floats(20, 300))
def test_a_fitted_text_is_no_wider_than_its_room_and_whole_where_it_fits(text: str, width: float) -> None:
    plain = " ".join(text.split())
    short = fitted(text, 12, width)

    assert text_width(short, 12) <= width or short == "…"
    assert (short == plain) == (text_width(plain, 12) <= width or plain == "…")


def test_a_shortened_label_keeps_beginning_and_end() -> None:
    short = fitted("wine-cultivars-hyper-parameter-tuning-training-job-007 v3 (1a2b3c4d)", 12, 150)

    assert short.startswith("wine-")
    assert short.endswith("(1a2b3c4d)")


@given(st.text())
def test_a_mermaid_label_has_nothing_that_means_something_to_mermaid(text: str) -> None:
    label = mermaid_text(text)

    assert not re.search(r"[\"<>`{}\[\]|\\&\n\r]", label)
    assert re.sub(r"#(\d+);", lambda code: chr(int(code[1])), label) == "".join(
        letter for letter in " ".join(text.split()) if letter.isprintable()
    )


def test_the_flow_chart_has_a_line_for_each_figure_and_each_flow() -> None:
    scene = scene_of(shipped_twice(16))
    lines = draw_mermaid(scene).splitlines()
    boxes = [line for line in lines if re.match(r'  n\d+\S{1,2}"', line)]
    flows = [line for line in lines if re.match(r"  n\d+ -(-|\.-)>", line)]

    assert lines[3] == "flowchart LR"
    assert len(boxes) == len(scene.figures)
    assert len(flows) == len(scene.flows)


def test_every_kind_has_a_look_of_its_own_for_screens_without_colour() -> None:
    assert set(KINDS) == set(NodeKind)
    assert len({look_of(kind).word for kind in NodeKind}) == len(NodeKind)
    assert all(look_of(kind).letter.isascii() and len(look_of(kind).symbol) == 1 for kind in NodeKind)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ink", ["#1d252c", "#51606c", "#a3191f"])
def test_texts_can_be_read_on_every_fill(ink: str) -> None:
    for kind in NodeKind:
        contrast = (_luminance(look_of(kind).family.fill) + 0.05) / (_luminance(ink) + 0.05)

        assert contrast >= 4.5, (kind, ink)  # WCAG 2.2, success criterion 1.4.3


def test_a_version_says_where_it_lies() -> None:
    svg = draw_svg(scene_of(shipped_twice()))

    assert ">wine/v1</text>" in svg
    assert f">{BUCKET}" not in svg
