"""``hallmark attest``, and ``--signed``: what is written verifies with the public key and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from hallmark.attestations.answers import answer_statement, read_asked
from hallmark.attestations.asking import answer, read_attestation_question
from hallmark.attestations.envelopes import seal
from hallmark.attestations.keeping import attest, revoke
from hallmark.attestations.revoking import revocation_statement
from hallmark.attestations.statements import VERIFICATION_SUMMARY
from hallmark.attestations.verdicts import verdict_statement
from hallmark.cli.main import app
from hallmark.cli.session import Context
from hallmark.lineage.questions import read_question
from tests.fakes.foreign_dsse import accepts
from tests.fakes.lineage_service import CannedService, shipped_twice
from tests.fakes.log_files import LogFiles
from tests.fakes.proved_orders import ATTESTOR, KIM, World
from tests.fakes.statement_keys import StatementKey

WHEN = datetime(2026, 11, 29, tzinfo=UTC)


class Deployed:
    """The functions of attestations over files in memory."""

    def __init__(self) -> None:
        self.files, self.signer = LogFiles(), StatementKey()
        self.told = World().verdict()
        self.lineage = shipped_twice()
        self.service = CannedService(self.lineage.answer, functions=self.call)

    def sign(self) -> Any:
        return attest(
            self.told.verdict,
            VERIFICATION_SUMMARY,
            lambda: verdict_statement(self.told, ATTESTOR),
            self.files,
            self.signer,
        )

    def call(self, output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if output == "QueryAttestationsFunctionName":
            return answer(read_attestation_question(dict(payload)), self.files, lambda: self.signer.key)
        if output == "SignAnswerFunctionName":
            asked = read_asked(payload)
            said = self.lineage.answer(read_question(asked.question)).model_dump(mode="json")
            statement = answer_statement(asked, said, None, WHEN, ATTESTOR)
            return {"digest": statement.digest, "envelope": seal(statement.content, self.signer).to_json().decode()}
        if output == "AttestVerdictFunctionName" and payload["cause"] != self.told.verdict:
            return {"attestation": None, "reason": "there is no such verdict"}
        if output == "RevokeAttestationFunctionName":
            kept = self.sign()
            made = revocation_statement(kept, KIM, payload["message"]["reason"], WHEN, ATTESTOR)
            revoke(kept.digest, lambda: made, self.files, self.signer)
            return {"revoked": kept.id, "by": KIM.arn, "reason": payload["message"]["reason"]}
        kept = self.sign()
        return {"attestation": kept.id, "digest": kept.digest, "envelope": kept.envelope.to_json().decode()}


@pytest.fixture
def deployed() -> Deployed:
    return Deployed()


def run(deployed: Deployed, *arguments: str) -> Result:
    screen = Console(width=220, highlight=False)
    errors = Console(width=220, highlight=False, stderr=True)
    context = Context(lambda: deployed.service, screen=screen, errors=errors)
    return CliRunner().invoke(app, list(arguments), obj=context)


def nobody(*arguments: str) -> Result:
    """Run a command where nothing is deployed: whatever it would ask fails."""
    service = CannedService(functions=lambda output, payload: pytest.fail(f"{output} was asked"))
    screen, errors = Console(width=220, highlight=False), Console(width=220, highlight=False, stderr=True)
    return CliRunner().invoke(app, list(arguments), obj=Context(lambda: service, screen=screen, errors=errors))


def keep_key(deployed: Deployed, folder: Path) -> str:
    file = folder / "key.pem"
    file.write_text(run(deployed, "attest", "key").stdout)
    return str(file)


def test_what_is_signed_is_verified_with_the_public_key_and_nothing_else(deployed: Deployed, tmp_path: Path) -> None:
    file, key = tmp_path / "verdict.json", keep_key(deployed, tmp_path)

    signed = run(deployed, "attest", "sign", deployed.told.verdict, "-o", str(file))
    verified = nobody("attest", "verify", str(file), "--key", key)

    assert signed.exit_code == 0, signed.stderr
    assert verified.exit_code == 0, verified.stderr
    assert "PASSED" in verified.stdout
    assert "verified: signed by the key" in verified.stdout
    assert accepts(file.read_bytes(), deployed.signer.key)


def test_an_envelope_that_was_changed_or_is_of_another_key_is_not_verified(deployed: Deployed, tmp_path: Path) -> None:
    file, key = tmp_path / "verdict.json", keep_key(deployed, tmp_path)
    run(deployed, "attest", "sign", deployed.told.verdict, "-o", str(file))
    other = tmp_path / "other.pem"
    other.write_text(StatementKey(9).key.pem)
    changed = tmp_path / "changed.json"
    changed.write_text(file.read_text().replace('"payload":"e', '"payload":"f', 1))

    for arguments in ((str(file), "--key", str(other)), (str(changed), "--key", key), (key, "--key", key)):
        done = nobody("attest", "verify", *arguments)
        assert done.exit_code == 1
        assert "NOT VERIFIED" in done.stderr


def test_what_was_taken_back_is_shown_with_the_name_and_the_reason(deployed: Deployed) -> None:
    kept = deployed.sign()

    taken = run(deployed, "attest", "revoke", kept.id, "--reason", "the test set had leaked")
    shown = run(deployed, "attest", "show", deployed.told.verdict)
    as_json = json.loads(run(deployed, "attest", "show", kept.id, "--json").stdout)

    assert KIM.arn in taken.stdout
    assert "taken back by arn:aws:iam::111122223333:user/kim" in shown.stdout
    assert as_json["revocation"]["payloadType"] == "application/vnd.in-toto+json"


def test_a_verdict_that_is_not_there_is_not_signed_and_the_reason_is_told(deployed: Deployed) -> None:
    done = run(deployed, "attest", "sign", "hallmark:verdict/none")

    assert done.exit_code == 1
    assert "there is no such verdict" in done.stderr


def test_answers_are_signed_one_a_line_and_verified(deployed: Deployed, tmp_path: Path) -> None:
    file, key = tmp_path / "answers.jsonl", keep_key(deployed, tmp_path)
    file.write_text("what was here before\n")

    asked = run(
        deployed, "--signed", str(file), "show", f"{'arn:aws:sagemaker:us-east-1:111122223333'}:endpoint/wine-live"
    )
    verified = nobody("attest", "verify", str(file), "--key", key)

    assert asked.exit_code == 0, asked.stderr
    assert "wine-live" in asked.stdout
    assert verified.exit_code == 0, verified.stderr
    assert '"ask":"show"' in verified.stdout
    assert all(accepts(line, deployed.signer.key) for line in file.read_bytes().splitlines())
