from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from hallmark.aws.deployed import DeadLetter, DeploymentError, QuestionError, Redriven, Waiting
from hallmark.cli.main import app
from hallmark.cli.session import Context, LineageService
from hallmark.errors import HallmarkError
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import (
    Answer,
    Candidates,
    Direction,
    HistoryEntry,
    Question,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TraceQuestion,
    answer_json,
    read_answer,
)
from hallmark.lineage.surveyed import (
    AffectedKind,
    DiffAnswer,
    Difference,
    DiffQuestion,
    ImpactAnswer,
    ImpactQuestion,
    ListAnswer,
    ListQuestion,
    PathAnswer,
    PathQuestion,
)
from tests.fakes.lineage_service import ACCOUNT, ENDPOINT, NOON, RAW, CannedService, Lineage, shipped_twice


class Screen:
    """What a run of the command line printed, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def run(
    service: LineageService | HallmarkError,
    *arguments: str,
    width: int = 80,
    colour: bool = False,
    encoding: str = "utf-8",
) -> Screen:
    def connect() -> LineageService:
        if isinstance(service, HallmarkError):
            raise service
        return service

    class Encoded(StringIO):
        @property
        def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute, io a property
            return encoding

    out, err = Encoded(), Encoded()
    context = Context(
        connect,
        screen=Console(file=out, width=width, highlight=False, force_terminal=colour, legacy_windows=False),
        errors=Console(file=err, width=width, highlight=False),
    )
    result = CliRunner().invoke(app, list(arguments), obj=context)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Screen(result.exit_code, out.getvalue() + result.stdout, err.getvalue() + result.stderr)


def canned(answer: Answer) -> CannedService:
    return CannedService(lambda _question: answer)


def position(lines: list[str], text: str) -> int:
    return next(number for number, line in enumerate(lines) if text in line)


# --- trace ---


def test_a_trace_tells_each_node_once_and_points_back_to_it_afterwards() -> None:
    lines = run(canned(shipped_twice().trace(ENDPOINT)), "trace", ENDPOINT).lines
    told = [line for line in lines if "wine-prepare-v2" in line and "↑ shown above" not in line]
    again = [number for number, line in enumerate(lines) if "wine-prepare-v2" in line and "↑ shown above" in line]

    assert len(told) == 1
    assert again
    assert all(number > position(lines, told[0]) for number in again)


def test_everything_in_the_answer_is_on_the_screen() -> None:
    answer = shipped_twice().trace(ENDPOINT)
    text = run(canned(answer), "trace", ENDPOINT, width=200).out

    assert all(node.label in text for node in answer.nodes)


def test_the_way_from_the_endpoint_to_the_raw_data_reads_downwards() -> None:
    lines = run(canned(shipped_twice().trace(ENDPOINT)), "trace", ENDPOINT).lines
    way = ["wine-live", "wine-v2", "wine v2", "wine-tune-v2-001", "test v1 (2c", "wine-prepare-v2", "raw v2 (2a"]
    steps = [position(lines, name) for name in way[2:]]

    assert steps == sorted(steps)
    depths = [len(lines[step]) - len(lines[step].lstrip("│├└─ ")) for step in steps]
    assert depths == [depths[0] + 2 * number for number in range(len(depths))]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_of_a_tree_is_wider_than_the_screen(width: int) -> None:
    lineage = shipped_twice()
    long = lineage.node(NodeKind.TRAINING_JOB, "a-training-job-" + "x" * 200, status="Completed")
    lineage.flow(long, ENDPOINT, "a-role-" + "y" * 100)

    lines = run(canned(lineage.trace(ENDPOINT)), "trace", ENDPOINT, width=width).lines[1:]

    assert max(map(len, lines)) <= width
    assert len([line for line in lines if "a-traini" in line]) == 1


def test_a_label_that_is_too_long_keeps_its_end_where_versions_and_digests_are() -> None:
    lineage = Lineage()
    start = lineage.node(NodeKind.DATASET_VERSION, f"{'part-' * 40}of-it v3 (1a2b3c4d)")
    text = run(canned(lineage.trace(start)), "trace", "x", width=60).lines[-1]

    assert len(text) <= 60
    assert "part-" in text
    assert "v3 (1a2b3c4d)" in text


def test_a_screen_without_colour_gets_no_control_codes_and_one_with_colour_does() -> None:
    service = canned(shipped_twice().trace(ENDPOINT))

    assert "\x1b" not in run(service, "trace", ENDPOINT).out
    assert "\x1b[" in run(service, "trace", ENDPOINT, colour=True).out


def test_a_screen_that_has_ascii_only_gets_nothing_else() -> None:
    text = run(canned(shipped_twice(12).trace(RAW, Direction.DOWN)), "trace", RAW, "--down", encoding="ascii").out

    assert text.isascii()
    assert "`-" in text


@pytest.mark.parametrize("command", [("show", "x"), ("diff", "a", "b"), ("impact", "x"), ("trace", "x")])
def test_no_answer_breaks_a_pipe_that_has_ascii_only(command: tuple[str, ...]) -> None:
    answers: dict[str, Answer] = {
        "show": show_answer(),
        "diff": diff_answer(),
        "impact": impact_answer(),
        "trace": shipped_twice().trace(ENDPOINT),
    }
    context = Context(lambda: canned(answers[command[0]]))
    stream = TextIOWrapper(BytesIO(), encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        context.screen = Console(file=stream, width=80)
        app(list(command), standalone_mode=False, obj=context)
    stream.flush()

    assert stream.buffer.tell() > 0


def test_many_neighbours_alike_are_counted_by_status() -> None:
    service = canned(shipped_twice(20).trace(RAW, Direction.DOWN))
    text = run(service, "trace", RAW, "--down").out

    assert "… 15 more training jobs (14 Completed, 1 Failed)" in text
    assert "more training jobs" not in run(service, "trace", RAW, "--down", "--unfolded").out


def test_what_no_longer_holds_is_marked() -> None:
    lines = run(canned(shipped_twice().trace(ENDPOINT)), "trace", ENDPOINT, "--history").lines

    assert "no longer" in lines[position(lines, "○ wine-v1")]
    assert "no longer" not in lines[position(lines, "○ wine-v2")]


def test_a_lineage_deeper_than_the_interpreters_stack_is_shown() -> None:
    lineage = Lineage()
    keys = [lineage.node(NodeKind.MODEL, f"m{number}") for number in range(3000)]
    for source, target in itertools.pairwise(keys):
        lineage.flow(source, target)

    assert "m2999" in run(canned(lineage.trace(keys[0], Direction.DOWN)), "trace", "m0", "--down", width=9000).out


def test_a_circle_is_shown_once() -> None:
    lineage = Lineage()
    one, other = lineage.node(NodeKind.FEATURE_GROUP, "one"), lineage.node(NodeKind.PROCESSING_JOB, "other")
    lineage.flow(one, other)
    lineage.flow(other, one)
    lines = run(canned(lineage.trace(one)), "trace", "one").lines

    assert [line for line in lines if "shown above" in line] == ["  └─▥ one  feature group  ↑ shown above"]


def test_a_trace_of_a_time_at_which_nothing_held_says_which_time() -> None:
    answer = shipped_twice().trace(ENDPOINT)
    then = answer.model_copy(update={"nodes": (), "edges": (), "as_of": datetime(2020, 1, 1, tzinfo=UTC)})

    assert "nothing that is recorded as of 2020-01-01 00:00:00 UTC" in run(canned(then), "trace", "wine-live").out


def test_options_of_a_trace_become_the_question() -> None:
    service = canned(shipped_twice().trace(ENDPOINT))
    run(
        service,
        "trace",
        "x",
        "--down",
        "--depth",
        "3",
        "--as-of",
        "2026-11-20",
        "--history",
        "--nodes",
        "7",
        "--resume",
        "t",
    )

    assert service.asked == [
        TraceQuestion(
            node="x",
            direction=Direction.DOWN,
            depth=3,
            as_of=datetime(2026, 11, 20, tzinfo=UTC),
            history=True,
            node_budget=7,
            resume="t",
        )
    ]


# --- answers that were cut ---


def pages(count: int) -> list[TraceAnswer]:
    """Cut an answer as the query function does: an edge is on the page of the later one of its nodes."""
    whole = shipped_twice(6).trace(RAW, Direction.DOWN)
    size = -(-len(whole.nodes) // count)
    found, before = [], set[str]()
    for start in range(0, len(whole.nodes), size):
        nodes = whole.nodes[start : start + size]
        fresh = {node.key for node in nodes}
        edges = tuple(
            edge
            for edge in whole.edges
            if {edge.source, edge.target} <= before | fresh and {edge.source, edge.target} & fresh
        )
        last = start + size >= len(whole.nodes)
        token = None if last else f"token-{start + size}"
        found.append(whole.model_copy(update={"nodes": nodes, "edges": edges, "complete": last, "resume": token}))
        before |= fresh
    return found


def paged(found: list[TraceAnswer]) -> CannedService:
    by_token = {None: found[0]} | {page.resume: following for page, following in itertools.pairwise(found)}

    def answer(question: Question) -> Answer:
        assert isinstance(question, TraceQuestion)
        return by_token[question.resume]

    return CannedService(answer)


def test_a_cut_answer_says_so_and_how_to_go_on() -> None:
    screen = run(paged(pages(3)), "trace", RAW, "--down")

    assert "INCOMPLETE" in screen.err
    assert "--resume token-" in screen.err
    assert screen.code == 0


def test_a_whole_answer_does_not_say_that_it_was_cut() -> None:
    assert not run(paged(pages(1)), "trace", RAW, "--down").err


def test_all_pages_together_are_the_whole_answer() -> None:
    service = paged(pages(4))
    whole = shipped_twice(6).trace(RAW, Direction.DOWN)

    screen = run(service, "trace", RAW, "--down", "--all", "--json")
    answer = read_answer(json.loads(screen.out))

    assert isinstance(answer, TraceAnswer)
    assert answer.nodes == whole.nodes
    assert sorted(map(str, answer.edges)) == sorted(map(str, whole.edges))
    assert (answer.complete, answer.resume) == (True, None)
    assert len(service.asked) == 4


def test_a_later_page_shows_its_nodes_although_their_way_is_on_an_earlier_one() -> None:
    found = pages(3)
    text = run(paged(found), "trace", RAW, "--down", "--resume", str(found[0].resume), "--unfolded", width=150).out

    assert all(node.label in text for node in found[1].nodes)


def test_a_cut_list_and_a_cut_impact_say_so_too() -> None:
    lineage = shipped_twice()
    cut = ListAnswer(nodes=(lineage.summary(ENDPOINT),), complete=False, resume="go-on")
    affected = ImpactAnswer(start=lineage.summary(RAW), affected=(), complete=False)

    assert "--resume go-on" in run(canned(cut), "list").err
    assert "INCOMPLETE" in run(canned(affected), "impact", RAW).err


# --- nodes that cannot be told ---


def candidates(reason: str) -> Candidates:
    lineage = shipped_twice()
    keys = [ENDPOINT, RAW, f"{ACCOUNT}:model/{'a-very-long-name-' * 8}"]
    lineage.node(NodeKind.MODEL, "a-very-long-name", key=keys[2])
    return Candidates.model_validate(
        {"asked": "wine", "reason": reason, "candidates": [lineage.summary(key) for key in keys]}
    )


@pytest.mark.parametrize(
    "command",
    [
        ("trace", "wine"),
        ("show", "wine"),
        ("impact", "wine"),
        ("path", "wine", "x"),
        ("diff", "wine", "x"),
        ("graph", "wine", "-o", "x.svg"),
    ],
)
@pytest.mark.parametrize(
    ("reason", "said"), [("ambiguous", "may be any of these"), ("unknown", "There is no node wine")]
)
def test_candidates_are_listed_and_the_exit_code_is_2(command: tuple[str, ...], reason: str, said: str) -> None:
    answer = candidates(reason)
    screen = run(canned(answer), *command)

    assert screen.code == 2
    assert said in screen.err
    # A key stands in one line, however long, so that it can be copied.
    assert all(any(node.key in line for line in screen.err.splitlines()) for node in answer.candidates)
    assert not screen.out


def test_without_candidates_it_says_how_to_find_nodes() -> None:
    answer = Candidates(asked="[bold]nothing", reason="unknown", candidates=())
    screen = run(canned(answer), "show", "nothing")

    assert "There is no node [bold]nothing" in screen.err
    assert "hallmark list --contains" in screen.err


def test_candidates_can_be_read_by_a_program() -> None:
    answer = candidates("ambiguous")
    screen = run(canned(answer), "trace", "wine", "--json")

    assert (screen.code, read_answer(json.loads(screen.out))) == (2, answer)


# --- the other questions ---


def show_answer() -> ShowAnswer:
    lineage = shipped_twice()
    up = tuple(edge for edge in lineage.edges if edge.target == ENDPOINT)
    return ShowAnswer(
        node=lineage.summary(ENDPOINT),
        attributes={
            "name": "wine-live",
            "config": "wine-v2",
            "tags": {f"key-{number}": "value" for number in range(9)},
            "variants": [{"name": "AllTraffic", "weight": 1}],
            "manifest": [["a.csv", "", "etag:1", 1], ["b.csv", "", "etag:2", 2]],
        },
        history=(
            HistoryEntry(at=NOON, recorded_at=NOON, field="model_package", before=None, after="wine v1"),
            HistoryEntry(
                at=NOON + timedelta(hours=1), recorded_at=NOON, field="model_package", before="wine v1", after="wine v2"
            ),
        ),
        upstream=up,
        downstream=(),
        neighbours=tuple(lineage.summary(edge.source) for edge in up),
        incarnations=(lineage.summary(ENDPOINT), lineage.summary(f"{ACCOUNT}:model/wine-v1")),
    )


def diff_answer() -> DiffAnswer:
    lineage = shipped_twice()
    return DiffAnswer(
        left=lineage.summary(f"{ACCOUNT}:model-package/wine v1"),
        right=lineage.summary(f"{ACCOUNT}:model-package/wine v2"),
        differences=(
            Difference(section="data", field="training-job train", left="1b00bbbb s3://b/p/v1/train", right="2b00bbbb"),
            Difference(section="data", field=f"{RAW}: added", left=None, right="batch-3.csv"),
            Difference(section="metrics", field="accuracy", left=0.9667, right=0.9778),
            Difference(section="hyperparameters", field="max-depth", left="3", right="2"),
        ),
        equal={"environment": 12, "metrics": 1},
    )


def impact_answer() -> ImpactAnswer:
    lineage = shipped_twice(9)
    nodes = lineage.trace(RAW, Direction.DOWN).nodes
    endpoints = tuple(node for node in nodes if node.kind is NodeKind.ENDPOINT)
    jobs = tuple(node for node in nodes if node.kind is NodeKind.TRAINING_JOB)
    return ImpactAnswer(
        start=lineage.summary(RAW),
        affected=(
            AffectedKind(kind=NodeKind.ENDPOINT, count=1, nodes=endpoints),
            AffectedKind(kind=NodeKind.TRAINING_JOB, count=1234, nodes=jobs),
        ),
        complete=True,
    )


def path_answer() -> PathAnswer:
    lineage = shipped_twice()
    config = f"{ACCOUNT}:endpoint-config/wine-v2"
    edge = next(edge for edge in lineage.edges if edge.source == config)
    return PathAnswer(nodes=(lineage.summary(config), lineage.summary(ENDPOINT)), edges=(edge,))


def test_show_tells_attributes_history_and_neighbours() -> None:
    text = run(canned(show_answer()), "show", "wine-live").out

    assert "model package replaced" in text
    assert "wine v1 → wine v2" in text
    assert "… 3 more" in text
    assert "2 objects" in text
    assert "comes from (2)" in text
    assert "resources that had this name" in text


def test_diff_has_a_table_for_each_section_that_differs_and_counts_what_is_equal() -> None:
    text = run(canned(diff_answer()), "diff", "wine:1", "wine:2").out

    assert "data: 2 differences" in text
    assert "training job train" in text
    assert "+0.0111" in text
    assert "metrics: 1 difference, 1 equal" in text
    assert "environment: 12 equal" in text
    assert "…/wine/raw: added" in text


def test_impact_counts_each_kind_and_names_the_live_endpoints_first() -> None:
    lines = run(canned(impact_answer()), "impact", RAW).lines

    assert "1,235 nodes depend on it, 1 live endpoint among them" in lines[1]
    assert position(lines, "1 endpoint") < position(lines, "1,234 training jobs")
    assert any("… 1,226 more" in line for line in lines)


def test_impact_of_what_nothing_depends_on_says_so() -> None:
    answer = ImpactAnswer(start=shipped_twice().summary(RAW), affected=(), complete=True)

    assert "nothing that is recorded depends on it" in run(canned(answer), "impact", RAW).out


def test_a_path_reads_downwards_with_its_steps() -> None:
    lines = run(canned(path_answer()), "path", "a", "b").lines

    assert lines == ["○ wine-v2  endpoint config", "↓ ● wine-live  endpoint  InService  (config)", "1 step"]


def test_where_no_way_leads_it_says_so() -> None:
    assert "no way leads" in run(canned(PathAnswer(nodes=(), edges=())), "path", "a", "b").out


def test_a_list_has_a_line_for_each_node_and_keys_on_request() -> None:
    lineage = shipped_twice()
    answer = ListAnswer(nodes=(lineage.summary(ENDPOINT), lineage.summary(RAW)), complete=True)

    lines = run(canned(answer), "list").lines
    assert len(lines) == 3
    assert "wine-live" in lines[1]
    assert "2026-11-23 12:00:00" in lines[1]
    assert ENDPOINT in run(canned(answer), "list", "--keys", width=30).out.split()


def test_a_list_of_all_pages_is_fetched_to_its_end() -> None:
    lineage = shipped_twice()
    first = ListAnswer(nodes=(lineage.summary(ENDPOINT),), complete=False, resume="more")
    second = ListAnswer(nodes=(lineage.summary(RAW),), complete=True)
    service = CannedService(
        lambda question: second if isinstance(question, ListQuestion) and question.resume else first
    )

    answer = read_answer(json.loads(run(service, "list", "--all", "--json").out))

    assert isinstance(answer, ListAnswer)
    assert [node.key for node in answer.nodes] == [ENDPOINT, RAW]
    assert answer.complete


AS_JSON: list[tuple[tuple[str, ...], Callable[[], Answer]]] = [
    (("trace", "x"), lambda: shipped_twice().trace(ENDPOINT)),
    (("show", "x"), show_answer),
    (("path", "a", "b"), path_answer),
    (("impact", "x"), impact_answer),
    (("diff", "a", "b"), diff_answer),
    (("list",), lambda: ListAnswer(nodes=(), complete=True)),
]


@pytest.mark.parametrize(("command", "answer"), AS_JSON)
def test_every_question_prints_its_answer_whole_as_json(command: tuple[str, ...], answer: Callable[[], Answer]) -> None:
    screen = run(canned(answer()), *command, "--json", width=20)

    assert json.loads(screen.out) == answer_json(answer())


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("show", "x"), ShowQuestion(node="x", versions=True, as_of=NOON, known_at=NOON)),
        (("path", "x", "y"), PathQuestion(source="x", target="y", as_of=NOON, known_at=NOON)),
        (("impact", "x", "--history"), ImpactQuestion(node="x", as_of=NOON, known_at=NOON, history=True)),
        (("diff", "x", "y"), DiffQuestion(left="x", right="y", as_of=NOON, known_at=NOON)),
        (
            ("list", "--kind", "model", "--contains", "w", "--limit", "3", "--resume", "t"),
            ListQuestion(
                kind=NodeKind.MODEL, contains="w", versions=True, limit=3, resume="t", as_of=NOON, known_at=NOON
            ),
        ),
    ],
)
def test_every_question_can_be_asked_of_the_past(command: tuple[str, ...], question: Question) -> None:
    answers: dict[str, Answer] = {
        "show": show_answer(),
        "path": path_answer(),
        "impact": impact_answer(),
        "diff": diff_answer(),
        "list": ListAnswer(nodes=(), complete=True),
    }
    service = canned(answers[command[0]])
    run(service, *command, "--as-of", "2026-11-23T12:00", "--known-at", "2026-11-23T12:00Z")

    assert service.asked == [question]


def test_a_time_that_is_none_is_refused_before_anything_is_asked() -> None:
    service = canned(show_answer())
    screen = run(service, "show", "x", "--as-of", "yesterday")

    assert screen.code == 2
    assert "write 2026-11-20" in " ".join(screen.err.replace("│", " ").split())
    assert not service.asked


# --- pictures ---


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", "<svg"), (".html", "<!doctype html>"), (".mmd", "---")])
def test_a_picture_is_written_in_the_form_that_the_name_says(tmp_path: Path, suffix: str, begins: str) -> None:
    target = tmp_path / "new" / f"lineage{suffix}"
    screen = run(canned(shipped_twice().trace(ENDPOINT)), "graph", "wine-live", "-o", str(target), width=300)

    assert target.read_text(encoding="utf-8").startswith(begins)
    assert f"{target}: " in screen.out


def test_a_picture_of_another_form_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    service = canned(shipped_twice().trace(ENDPOINT))
    screen = run(service, "graph", "wine-live", "-o", str(tmp_path / "lineage.png"), width=300)

    assert (screen.code, service.asked) == (1, [])
    assert ".svg, .html, .mmd" in screen.err


@pytest.mark.parametrize(
    ("options", "directions"),
    [
        ((), [Direction.UP]),
        (("--up",), [Direction.UP]),
        (("--down",), [Direction.DOWN]),
        (("--both",), [Direction.UP, Direction.DOWN]),
        (("--up", "--down"), [Direction.UP, Direction.DOWN]),
    ],
)
def test_a_picture_shows_the_directions_that_are_wanted(
    tmp_path: Path, options: tuple[str, ...], directions: list[Direction]
) -> None:
    service = CannedService(
        lambda question: (
            shipped_twice().trace(RAW, question.direction) if isinstance(question, TraceQuestion) else show_answer()
        )
    )
    run(service, "graph", RAW, *options, "-o", str(tmp_path / "x.svg"))

    assert [question.direction for question in service.asked if isinstance(question, TraceQuestion)] == directions


def test_a_cut_picture_says_so_on_the_screen_and_in_itself(tmp_path: Path) -> None:
    target = tmp_path / "x.svg"
    screen = run(paged(pages(3)), "graph", RAW, "--down", "-o", str(target))

    assert "INCOMPLETE" in screen.err
    assert "incomplete" in target.read_text(encoding="utf-8")


def test_what_was_drawn_and_begun_can_be_read_by_a_program(tmp_path: Path) -> None:
    file = tmp_path / "lineage.svg"
    drawn = run(canned(shipped_twice().trace(ENDPOINT)), "graph", "wine-live", "-o", str(file), "--json")
    begun = run(CannedService(), "backfill", "--json")

    assert json.loads(drawn.out)["file"] == str(file)
    assert json.loads(drawn.out)["complete"] is True
    assert json.loads(begun.out) == {"begun": True, "since": None}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    screen = run(
        canned(shipped_twice().trace(ENDPOINT)), "graph", "x", "-o", str(tmp_path / "file" / "x.svg"), width=300
    )

    assert screen.code == 1
    assert "choose another --output" in screen.err


# --- running it ---


@pytest.mark.parametrize(
    "error",
    [
        DeploymentError("there is no stack HallmarkLineage: deploy it with `npx cdk deploy`"),
        QuestionError("node_budget is 0: Input should be greater than or equal to 1"),
    ],
)
@pytest.mark.parametrize("command", [("trace", "x"), ("list",), ("backfill",), ("dead-letters",)])
def test_a_failure_is_one_message_with_its_remedy_and_exit_code_1(
    error: HallmarkError, command: tuple[str, ...]
) -> None:
    screen = run(error, *command, width=40)

    assert (screen.code, screen.out, screen.err) == (1, "", f"{error}\n")


def test_an_answer_to_another_question_is_no_answer() -> None:
    screen = run(canned(show_answer()), "trace", "x")

    assert screen.code == 1
    assert "deploy the stack again" in screen.err


@pytest.mark.parametrize(
    ("options", "since"),
    [((), None), (("--since", "2026-11-20"), datetime(2026, 11, 20, tzinfo=UTC))],
)
def test_a_backfill_starts_a_sweep(options: tuple[str, ...], since: datetime | None) -> None:
    service = CannedService()
    screen = run(service, "backfill", *options, width=200)

    assert service.backfills == [since]
    assert "has begun" in screen.out


LETTER = DeadLetter(
    queue="Recording",
    function="record_lineage",
    error="InvalidInputError",
    reason="detail.TrainingJobArn is 7: [red]give an ARN",
    receives=1,
    sent_at=NOON,
    body=json.dumps({"detail": {"TrainingJobArn": 7}}),
)


def test_dead_letters_are_told_with_their_reasons_and_how_many_more_wait() -> None:
    service = CannedService(waiting=[Waiting("Mirror", 0, ()), Waiting("Recording", 3, (LETTER,))])
    text = run(service, "dead-letters", width=120).out

    assert "Mirror  nothing waits" in text
    assert "Recording  3 messages wait" in text
    assert "InvalidInputError: detail.TrainingJobArn is 7: [red]give an ARN" in text
    assert "… 2 more" in text
    assert "--redrive" in text


def test_dead_letters_can_be_read_by_a_program() -> None:
    service = CannedService(waiting=[Waiting("Recording", 3, (LETTER,))])
    told: list[dict[str, Any]] = json.loads(run(service, "dead-letters", "--json").out)

    assert told[0]["messages"] == 3
    assert told[0]["letters"][0]["reason"] == LETTER.reason
    assert told[0]["letters"][0]["sent_at"] == NOON.isoformat()


def test_a_redrive_tells_what_was_sent_back_and_what_could_not_be() -> None:
    service = CannedService(redriven=[Redriven("Recording", 3), Redriven("Questions", 0, "no queue sends to it")])
    text = run(service, "dead-letters", "--redrive").out

    assert "Recording: 3 sent back" in text
    assert "Questions: no queue sends to it" in text


def test_a_redrive_of_nothing_says_so() -> None:
    assert "nothing waits" in run(CannedService(), "dead-letters", "--redrive").out


def test_the_help_names_every_command_with_what_it_does() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # the app is a group

    lineage = {"trace", "show", "path", "impact", "diff", "list", "graph", "backfill", "dead-letters"}
    evaluation = {"evaluate", "runs", "report", "suites", "history", "try"}

    assert set(commands) >= lineage | evaluation | {"gate"}
    assert all(name in text and commands[name].help for name in commands)
