from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hallmark.evaluation.cases import Case
from hallmark.evaluation.comparison.evidence import Anchor, EvaluatedModel, JudgeAnchors, Provenance
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Report, read_report, write_report
from hallmark.evaluation.reports.foreign_text import in_html, in_markdown
from hallmark.evaluation.reports.history import history_of
from hallmark.evaluation.reports.markdown import write_markdown
from hallmark.evaluation.reports.page import write_page
from hallmark.evaluation.reports.tables import answer_table, report_tables
from hallmark.evaluation.suites import ComparisonSettings, Facts
from tests.fakes.evaluated_cases import DELAY, QUALITY, RIGHT, answer, evidence_of, failed, scored

ATTACK = '</div><script>alert(1)</script><img src=x onerror="alert(2)">\u202e @everyone [a](javascript:alert(3)) | `x`'
VOID = {"meta", "br", "hr", "img", "input", "link"}


def full_report(said: str = "yes") -> Report:
    source = np.random.default_rng(3)
    names = ("old", "new", "third")
    results = [
        scored(
            model,
            case,
            float(source.uniform() < rate),
            group="ab"[case % 2],
            category="x|y",
            answer=answer(f"{said} {model}", latency_ms=float(source.lognormal(5, 0.3)), cost_usd=cost),
        )
        for model, rate, cost in zip(names, (0.6, 0.8, 0.55), (0.001, 0.002, 0.0005), strict=True)
        for case in range(80)
    ]
    results += [failed("third", case) for case in range(80, 90)]
    scores = source.uniform(0, 1, 60)
    for case in range(60):
        results[case] = results[case].model_copy(
            update={"scores": (*results[case].scores, scored("old", case, float(scores[case]), QUALITY).scores[0])}
        )
    anchors = tuple(
        Anchor(
            case=f"case-{n:04d}",
            model="old",
            human=float(scores[n] > 0.5),
            judge=float(scores[n]),
            previous=float(scores[n]),
        )
        for n in range(20)
    )
    return make_report(
        evidence_of(
            results,
            RIGHT,
            QUALITY,
            models=names,
            settings=ComparisonSettings(margin=0.05),
            judges=(JudgeAnchors(metric="quality", anchors=anchors, previous_run="run-0"),),
            cases={"questions": (Case(id="case-0000", prompt=f"{said}?", expected=(said,)),)},
            notes=(f"note {said}",),
            budget_usd=5.0,
            cost_usd=1.25,
        )
    )


class Document(HTMLParser):
    """Reads a page strictly: every element closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_is_well_formed_and_says_what_the_report_says() -> None:
    report = full_report()

    document = Document(write_page(report))

    assert report.headline in document.text
    for note in report.notes:
        assert " ".join(note.split()) in document.text
    for table in report_tables(report):
        for row in table.rows:
            for cell in row:
                assert " ".join(cell.split()) in document.text


def test_the_page_asks_nothing_of_the_network_and_runs_no_script() -> None:
    page = write_page(full_report(ATTACK), history_of([full_report()]))

    document = Document(page)

    tags = {tag for tag, _ in document.found}
    assert not tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "a", "image", "use"}
    for _, attributes in document.found:
        assert not {name for name in attributes if name.startswith("on") or name in {"src", "href", "style"}}
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(styles) == 1
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]
    policy = next(each["content"] for each in document.all("meta") if each.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_answers_stand_in_the_page_as_text_whatever_they_hold() -> None:
    document = Document(write_page(full_report(ATTACK)))

    shown = ATTACK.replace("\u202e", "\\u202e")
    assert f"{shown} new" in document.text


def test_the_page_can_be_used_without_seeing_it() -> None:
    document = Document(write_page(full_report()))

    assert [each["lang"] for each in document.all("html")] == ["en"]
    assert len(document.all("h1")) == len(document.all("main")) == 1
    for plot in document.all("svg"):
        assert plot["role"] == "img"
        assert plot["aria-label"]
    headings = {each.get("id") for each in document.all("h2")}
    assert {each["aria-labelledby"] for each in document.all("section") if "aria-labelledby" in each} == headings
    for head in document.all("th"):
        assert head["scope"] in {"col", "row"}
    for region in (each for each in document.all("div") if each.get("role") == "region"):
        assert region["tabindex"] == "0"
        assert region["aria-label"]


def test_every_number_of_a_plot_is_finite_and_inside_it() -> None:
    page = write_page(full_report())

    for width, height, drawing in re.findall(r'<svg viewBox="0 0 (\d+) (\d+)"[^>]*>(.*?)</svg>', page, re.DOTALL):
        for name, value in re.findall(r' (x|x1|x2|cx|y|y1|y2|cy)="([^"]*)"', drawing):
            assert 0 <= float(value) <= (float(width) if "x" in name else float(height))


def test_the_same_report_makes_the_same_bytes_also_after_json() -> None:
    report = full_report()
    again = read_report(write_report(report))

    assert write_page(report) == write_page(again)
    assert write_markdown(report) == write_markdown(again)


def test_markdown_begins_with_the_answer_and_has_its_tables() -> None:
    report = full_report()
    parsed = MarkdownIt("commonmark").enable("table").parse(write_markdown(report))

    kinds = [token.type for token in parsed]
    assert kinds[0] == "heading_open"
    assert report.headline in parsed[1].content.replace("\\", "")
    assert kinds.count("table_open") == len(report_tables(report))
    widths = {len(row.split(" | ")) for row in write_markdown(report).splitlines() if row.startswith("| old")}
    assert widths


def test_answers_in_markdown_make_no_markup_no_link_and_no_mention() -> None:
    text = write_markdown(full_report(ATTACK))

    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"@\w", text)
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert "<a " not in rendered
    assert "<img" not in rendered


@settings(max_examples=300)
@given(st.text(max_size=60))
def test_any_text_is_the_same_text_after_markdown_has_read_it(text: str) -> None:
    written = in_markdown(text)

    (inline,) = [token for token in MarkdownIt("commonmark").parse(f"x {written}") if token.type == "inline"]
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    assert "\n" not in written


@settings(max_examples=300)
@given(st.text(max_size=60))
def test_any_text_is_the_same_text_after_html_has_read_it(text: str) -> None:
    document = Document(f'<p title="{in_html(text)}">{in_html(text)}</p>')

    assert [tag for tag, _ in document.found] == ["p"]
    assert document.found[0][1]["title"] == "".join(document.words)


def test_the_best_candidate_stands_first_and_has_its_verdict() -> None:
    table = answer_table(full_report())

    assert [row[0] for row in table.rows] == ["new", "third"]
    assert table.rows[0][table.heads.index("Verdict")] == "better"
    assert table.tones[0] == "good"


def test_what_cannot_be_compared_says_why() -> None:
    models = (
        EvaluatedModel(name="old", provenance=Provenance(run="earlier", data={"questions": "2" * 64})),
        EvaluatedModel(name="new"),
    )
    evidence = evidence_of([scored("old", 1, 1), scored("new", 1, 1)]).model_copy(update={"models": models})

    table = answer_table(make_report(evidence))

    assert table.rows[0][table.heads.index("Verdict")] == "not comparable"
    assert "dataset questions differ" in table.rows[0][-1]


@pytest.mark.parametrize("models", [("old",), ("old", "new")])
def test_reports_of_nothing_can_be_read_as_well(models: tuple[str, ...]) -> None:
    results = [failed("old", case) for case in range(3)]
    report = make_report(evidence_of(results, RIGHT, DELAY, models=models, planned=3))

    document = Document(write_page(report))

    assert "answered nothing (3 throttled)" in document.text
    assert "answered nothing" in write_markdown(report)


def test_facts_of_models_are_text_and_never_markup() -> None:
    models = (EvaluatedModel(name="old", facts=Facts(licence="<b>free</b>")), EvaluatedModel(name="new"))
    evidence = evidence_of([scored("old", 1, 1), scored("new", 1, 0)]).model_copy(update={"models": models})

    document = Document(write_page(make_report(evidence)))

    assert "<b>free</b>" in document.text


def test_a_history_is_drawn_where_there_is_one() -> None:
    report = full_report()

    plain, drawn = (Document(write_page(report, history)) for history in (None, history_of([report])))

    assert "over 1 runs" not in plain.text
    assert len(drawn.all("svg")) == len(plain.all("svg")) + 3
