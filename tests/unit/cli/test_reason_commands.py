"""``hallmark why``, ``live``, ``blast``, ``bisect``: what is asked, what is shown, how it ends."""

from __future__ import annotations

import json

import pytest

from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Answer, Question, answer_json
from hallmark.lineage.reasoned import BisectQuestion, BlastQuestion, LiveQuestion, WhyQuestion
from tests.fakes.lineage_facts import fact, node
from tests.fakes.lineage_service import NOON, CannedService
from tests.fakes.shipped_model import answerer, judged, story, trained
from tests.unit.cli.test_commands import run

COMMANDS: list[tuple[tuple[str, ...], Question]] = [
    (("why", "endpoint:churn-live"), WhyQuestion(node="endpoint:churn-live")),
    (("live", "--contains", "churn", "--limit", "3"), LiveQuestion(contains="churn", limit=3)),
    (("blast", "delete", "s3://data/train"), BlastQuestion(act="delete", target="s3://data/train")),
    (("blast", "reject", "churn/2", "--nodes", "9"), BlastQuestion(act="reject", target="churn/2", node_budget=9)),
    (("blast", "roll", "train@22222222"), BlastQuestion(act="roll", target="train@22222222")),
    (
        ("bisect", "accuracy", "model-package-group:churn", "--threshold", "0.8", "--better", "higher"),
        BisectQuestion(metric="accuracy", node="model-package-group:churn", threshold=0.8, better="higher"),
    ),
]


def service() -> CannedService:
    return CannedService(answerer(story()).answer)


@pytest.mark.parametrize(("command", "question"), COMMANDS)
def test_each_command_asks_its_question_of_both_times(command: tuple[str, ...], question: Question) -> None:
    asked = service()
    run(asked, *command, "--as-of", "2026-11-23T12:00", "--known-at", "2026-11-23T12:00Z")

    assert asked.asked == [question.model_copy(update={"as_of": NOON, "known_at": NOON})]


@pytest.mark.parametrize("command", [command for command, _ in COMMANDS])
def test_each_answer_is_printed_whole_as_json_and_says_as_known_when(command: tuple[str, ...]) -> None:
    given: list[Answer] = []

    def answer(question: Question) -> Answer:
        given.append(answerer(story()).answer(question))
        return given[-1]

    screen = run(CannedService(answer), *command, "--json", width=20)

    assert json.loads(screen.out) == answer_json(given[0])
    assert json.loads(screen.out)["known_at"] is not None


@pytest.mark.parametrize("command", [command for command, _ in COMMANDS])
def test_each_screen_fits_a_narrow_terminal_and_says_as_known_when(command: tuple[str, ...]) -> None:
    screen = run(service(), *command, width=80)

    assert screen.code == 0, screen.err
    assert all(len(line) <= 80 for line in screen.lines)
    assert "as known at 2026-01-01 00:45:00 UTC" in screen.out


@pytest.mark.parametrize(
    "command", [("why", "no such node"), ("blast", "reject", "no such node"), ("bisect", "f1", "x")]
)
def test_a_name_that_tells_no_node_ends_with_code_two(command: tuple[str, ...]) -> None:
    assert run(service(), *command).code == 2


def test_all_pages_of_what_was_live_are_fetched() -> None:
    many = [fact(node(NodeKind.ENDPOINT, f"e{number}", born=0), status="InService") for number in range(7)]
    asked = CannedService(answerer(many).answer)

    whole = json.loads(run(asked, "live", "--limit", "3", "--all", "--json").out)
    cut = run(asked, "live", "--limit", "3")

    assert (len(whole["endpoints"]), whole["complete"]) == (7, True)
    assert "INCOMPLETE" in cut.err


def test_an_answer_that_was_cut_says_so_and_with_what_to_go_on() -> None:
    asked = service()
    cut = run(asked, "blast", "delete", "s3://data", "--nodes", "2")
    token = json.loads(run(asked, "blast", "delete", "s3://data", "--nodes", "2", "--json").out)["resume"]
    rest = json.loads(run(asked, "blast", "delete", "s3://data", "--nodes", "99", "--resume", token, "--json").out)

    assert "INCOMPLETE" in cut.err
    assert token in cut.err
    assert (rest["complete"], rest["resume"]) == (True, None)


def test_all_pages_of_what_an_act_would_touch_are_joined() -> None:
    cut = run(service(), "blast", "delete", "s3://data", "--nodes", "2", "--all", "--json")
    whole = run(service(), "blast", "delete", "s3://data", "--json")

    def hits(text: str) -> dict[str, set[str]]:
        return {each["effect"]: {hit["node"]["key"] for hit in each["hits"]} for each in json.loads(text)["effects"]}

    assert hits(cut.out) == hits(whole.out)
    assert json.loads(cut.out)["complete"]


def test_what_is_read_only_says_so_and_who_is_concerned() -> None:
    screen = run(service(), "blast", "delete", "s3://models/2", width=120)

    assert "Nothing was changed." in screen.out
    assert "risk-team" in screen.out
    assert screen.out.index(" break") < screen.out.index(" descend")


def test_the_fall_of_a_metric_is_shown_with_what_changed_there_and_that_it_is_no_proof() -> None:
    def criteria(value: float) -> dict[str, dict[str, object]]:
        return {"accuracy": {"outcome": "passed", "value": value, "low": value - 0.2, "high": value + 0.2, "cases": 90}}

    facts = [
        *trained(1, 10, data="a"),
        *trained(2, 20, data="b", hyperparameters={"depth": "9"}),
        judged(1, 15, "Passed", criteria(0.9)),
        judged(2, 25, "Passed", criteria(0.8)),
    ]
    screen = run(CannedService(answerer(facts).answer), "bisect", "accuracy", "churn/2", width=120)

    for told in ("last good", "first bad", "90 cases", "depth", "never", "no proof", "the drop may be chance"):
        assert told in screen.out, told
