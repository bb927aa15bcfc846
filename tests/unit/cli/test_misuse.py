"""What a job of CI is told by a command that was not understood: never what a gate's word would be."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from hallmark.cli.main import app


@pytest.mark.parametrize(
    "command",
    [
        "gate check",
        "gate check churn:7 --nonsense",
        "gate check churn:7 --stage staging --gate other",
        "gate check churn:7 --stage staging --minutes 0",
        "gate check churn:7 --stage",
        "gate chekc churn:7 --stage staging",
        "gate --nonsense check churn:7 --stage staging",
    ],
)
def test_a_misspelled_question_to_a_gate_is_an_error_and_no_doubt(command: str) -> None:
    done = CliRunner().invoke(app, command.split())

    assert done.exit_code == 3
    assert done.output.strip()


def test_help_is_no_misuse() -> None:
    assert CliRunner().invoke(app, ["gate", "check", "--help"]).exit_code == 0
