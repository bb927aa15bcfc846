"""``hallmark attest``: sign what was found, show it, take it back; and verify it with a public key and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hallmark.attestations.envelopes import (
    EnvelopeError,
    PublicKey,
    open_envelope,
    read_envelope,
    read_public_key,
)
from hallmark.attestations.statements import Statement, read_statement
from hallmark.attestations.summaries import Summary, summarize
from hallmark.aws.envelope_reading import EnvelopeSignatures
from hallmark.cli.session import fail, guard, print_json
from hallmark.errors import HallmarkError, InvalidInputError
from hallmark.events.records import own_id
from hallmark.lineage.model import NodeKind
from hallmark.lineage.surveyed import ListAnswer, ListQuestion

attestations = typer.Typer(
    help="What was found, signed: in-toto statements in DSSE envelopes. Other tools verify them, too.",
    no_args_is_help=True,
)
_STACK = "HallmarkAttestations"
_GATES_STACK = "HallmarkGates"
_CAUSES = (own_id("verdict", ""), own_id("override", ""))

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the envelope to a file, as it is kept")
]


@attestations.command()
def sign(
    context: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help="A verdict, override, evaluation or training job")],
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Sign what is recorded of a node, unless it was signed before; as a rule that happens by itself."""
    if node.startswith(_CAUSES):
        said = _call(context, "AttestVerdictFunctionName", _GATES_STACK, {"cause": node})
        if said["attestation"] is None:
            fail(context, said["reason"])
    else:
        said = _call(context, "AttestRunFunctionName", _STACK, {"node": node})
    _give(context, said, output, as_json=as_json)


@attestations.command("list")
def list_attestations(
    context: typer.Context,
    contains: Annotated[str, typer.Option(metavar="TEXT", help="A part of the name, e.g. of the model")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what is signed, the newest first."""
    question = ListQuestion(kind=NodeKind.ATTESTATION, contains=contains, limit=limit)
    said: ListAnswer = guard(context, lambda service: service.ask(question))
    if as_json:
        print_json(said.model_dump(mode="json"))
        return
    table = Table(box=None, header_style="bold")
    for title in ("attestation", "what", "status", "of"):
        table.add_column(title)
    for each in said.nodes:
        at = f"{each.at:%Y-%m-%d %H:%M}" if each.at else ""
        table.add_row(each.key, each.label, each.status or "", at)
    context.obj.screen.print(table if said.nodes else "nothing is signed yet")


@attestations.command()
def show(
    context: typer.Context,
    attestation: Annotated[str, typer.Argument(metavar="ATTESTATION", help="Its id, or the id of what it is about")],
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show what is signed, and who took it back, if somebody did."""
    said = _call(context, "QueryAttestationsFunctionName", _STACK, {"ask": "show", "attestation": attestation})
    _give(context, said, output, as_json=as_json)


@attestations.command()
def key(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the public key (PEM): keep it where you trust it, outside of this account."""
    said = _call(context, "QueryAttestationsFunctionName", _STACK, {"ask": "key"})
    if as_json:
        print_json({"pem": said["pem"]})
        return
    context.obj.screen.print(said["pem"], markup=False, soft_wrap=True, end="")


@attestations.command()
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An envelope, as `show -o` and `--signed` write it")],
    key_file: Annotated[
        Path | None, typer.Option("--key", metavar="PEM", help="The public key that must have signed; else it is asked")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify an envelope: with ``--key`` nothing is asked of anybody. Exit code 1: it is not what was signed."""
    public = _key(context, key_file)
    lines = [line for line in _read(context, file).splitlines() if line.strip()]
    if not lines:
        fail(context, f"NOT VERIFIED: {file} is empty: name a file with an envelope")
    for place, line in enumerate(lines, 1):
        where = f"line {place}: " if len(lines) > 1 else ""
        try:
            statement = read_statement(open_envelope(read_envelope(line), [public], EnvelopeSignatures()))
            summary = summarize(statement)
        except (EnvelopeError, InvalidInputError) as error:
            fail(context, f"NOT VERIFIED: {where}{error}")
        if as_json:
            print_json({"verified": True, "key_id": public.key_id, "statement": json.loads(statement.content)})
            continue
        _show(context, statement, summary)
        said = f"{where}verified: signed by the key {public.key_id}, and not changed since"
        context.obj.screen.print(said, style="green")


@attestations.command()
def revoke(
    context: typer.Context,
    attestation: Annotated[str, typer.Argument(metavar="ATTESTATION", help="Its id")],
    reason: Annotated[str, typer.Option(help="Why: 10 to 1,000 characters")],
    as_json: AsJson = False,
) -> None:
    """Take an attestation back in your name: nothing is promoted by it any more. It cannot be undone."""
    message = {"attestation": attestation, "reason": reason}
    said: dict[str, Any] = guard(
        context, lambda service: service.call_signed("RevokeAttestationFunctionName", _STACK, message)
    )
    if as_json:
        print_json(said)
        return
    context.obj.screen.print(f"{said['revoked']} was taken back by {said['by']}: {said['reason']}", markup=False)


def _give(context: typer.Context, said: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    if output is not None:
        try:
            output.write_text(said["envelope"] + "\n", encoding="utf-8")
        except OSError as error:
            fail(context, f"{output}: {error.strerror}: name a file that can be written")
    if as_json:
        print_json({**said, "envelope": json.loads(said["envelope"]), "revocation": _loaded(said.get("revocation"))})
        return
    statement = read_statement(read_envelope(said["envelope"].encode()).payload)
    context.obj.screen.print(said["attestation"], style="bold", markup=False, soft_wrap=True)
    _show(context, statement, summarize(statement))
    if said.get("revocation"):
        taken = read_statement(read_envelope(said["revocation"].encode()).payload).predicate
        context.obj.screen.print(
            f"taken back by {taken['by']} at {taken['revokedAt']}: {taken['reason']}", style="bold red", markup=False
        )


def _show(context: typer.Context, statement: Statement, summary: Summary) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("what", f"{summary.what} ({statement.predicate_type})")
    for subject in statement.subject:
        digests = ", ".join(f"{name}:{value}" for name, value in subject.digest.items())
        table.add_row("about", f"{subject.name or subject.uri}  {digests}")
    for name, value in summary.lines:
        table.add_row(name, value)
    context.obj.screen.print(table)


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _key(context: typer.Context, file: Path | None) -> PublicKey:
    text = (
        _read(context, file).decode(errors="replace")
        if file is not None
        else _call(context, "QueryAttestationsFunctionName", _STACK, {"ask": "key"})["pem"]
    )
    try:
        return read_public_key(text)
    except HallmarkError as error:
        fail(context, str(error))


def _read(context: typer.Context, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        fail(context, f"{file}: {error.strerror}: name a file that can be read")


def _call(context: typer.Context, output: str, stack: str, payload: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = guard(context, lambda service: service.call(output, stack, payload))
    return said
