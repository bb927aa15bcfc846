from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from hallmark.evaluation.cases import Case
from local.bedrock.control import answer_control
from local.bedrock.faults import Faults
from local.bedrock_commands import bedrock_commands

VADER = "hallmark.vader-sentiment-v1:0"


class Cloud:
    """Answers the commands' requests as the running cloud's gateway does."""

    def __init__(self) -> None:
        self.faults = Faults()

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        status, answer = answer_control(self.faults, method, path.removeprefix("bedrock/"), data)
        assert status == 200, answer
        return answer

    def run(self, *words: str) -> str:
        done = CliRunner().invoke(bedrock_commands(self.request), list(words))
        assert done.exit_code == 0, done.output
        return done.output


def test_a_fault_is_switched_on_and_off_by_word() -> None:
    cloud = Cloud()

    assert "throttle_every" in cloud.run("fault", VADER, "--throttle-every", "3", "--latency-seconds", "0.5")
    assert (cloud.faults.of(VADER).throttle_every, cloud.faults.of(VADER).latency_seconds) == (3, 0.5)
    assert "no fault" in cloud.run("fault", VADER)
    assert cloud.faults.all_faults() == {}


def test_a_model_named_by_its_arn_is_the_same_model() -> None:
    cloud = Cloud()
    cloud.run("fault", f"arn:aws:bedrock:eu-west-1::foundation-model/{VADER}", "--nonsense-every", "2")

    assert cloud.faults.of(VADER).nonsense_every == 2


def test_calls_are_shown_and_forgotten() -> None:
    cloud = Cloud()
    assert "no model was asked" in cloud.run("calls")
    for question in ("a", "a", "b"):
        cloud.faults.meet(VADER)
        cloud.faults.count_answer(VADER, question)

    shown = json.loads(cloud.run("calls", "--json", "--reset"))

    assert shown[VADER] == {"requests": 3, "answered": 3, "refused": {}, "repeated": 1}
    assert cloud.faults.all_calls() == {}


def test_the_real_data_is_written_as_datasets(tmp_path: Path) -> None:
    Cloud().run("datasets", str(tmp_path), "--limit", "20")

    names = {"tweets", "movie-reviews", "product-reviews", "editorials", "newstest2017"}
    assert {path.stem for path in tmp_path.iterdir()} == names
    for path in tmp_path.iterdir():
        cases = [Case.model_validate_json(line) for line in path.read_text("utf-8").split("\n") if line]
        assert len({case.id for case in cases}) == len(cases) == 20
        assert {case.group for case in cases} == {"short", "long"}
        assert all(case.expected for case in cases)
