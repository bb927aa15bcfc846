"""``hallmark ledger``: verify the log, prove an entry, show that the log only grew, make the lineage table anew."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hallmark.aws.ledger_reading import NoteSignatures
from hallmark.cli.session import FAILED, fail, guard, print_json
from hallmark.errors import HallmarkError
from hallmark.ledger.merkle import hash_leaf, verify_consistency, verify_inclusion
from hallmark.ledger.notes import VerifierKey, read_verifier_key, signing_keys, verify_checkpoint
from hallmark.ledger.proofs import write_proof
from hallmark.ledger.verifying import Verification, verify_log

ledger = typer.Typer(
    help="What was recorded, in a log that nobody can change unseen, in C2SP's formats: other tools verify it too.",
    no_args_is_help=True,
)
_STACK = "HallmarkLedger"
_STRETCH = 512

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
Place = Annotated[
    str | None,
    typer.Option("--from", metavar="PLACE", help="A folder or s3://bucket/prefix with a copy of the log; else the log"),
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="KEY", help="Verifier key that must have signed (`hallmark ledger key`); else asked"),
]


@ledger.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how large the log is, its root, and its last checkpoint."""
    said = _ask(context, {"ask": "status"})
    if as_json:
        print_json(said)
        return
    context.obj.screen.print(f"{said['size']:,} entries in {said['origin']}\n\n{said['checkpoint']}", markup=False)


@ledger.command()
def key(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the verifier keys: keep them where you trust them, outside of this account."""
    keys = _ask(context, {"ask": "status"})["keys"]
    if as_json:
        print_json({"keys": keys})
        return
    for line in keys:
        context.obj.screen.print(line, markup=False, soft_wrap=True)


@ledger.command()
def verify(
    context: typer.Context,
    place: Place = None,
    keys: Keys = None,
    since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A checkpoint that you kept: read only what was added, and that it was"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every byte of the log and name what was changed, removed, moved or added. Exit code 1: something was."""
    trusted = _keys(context, keys)
    where = place or f"s3://{guard(context, lambda service: service.output_of('LedgerBucketName', _STACK))}"
    old = _read_text(context, since) if since is not None else None
    columns = (TextColumn("entries"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=context.obj.errors, transient=True) as progress:
        task = progress.add_task("", total=None)

        def told(done: int, size: int) -> None:
            progress.update(task, completed=done, total=size)

        found: Verification = guard(
            context,
            lambda service: verify_log(service.read_log(where), trusted, NoteSignatures(), since=old, progress=told),
        )
    if as_json:
        print_json(_verification(found, where))
    else:
        _show(context, found, where)
    if not found.is_whole:
        raise typer.Exit(FAILED)


@ledger.command()
def prove(
    context: typer.Context,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="Its number, or the id of a fact")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the proof, and FILE.entry, for others")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an entry and the proof that it is in the log; the proof is checked here.

    A file has it as C2SP's tlog-proof: with the entry and the verifier key that is all an auditor needs, offline.
    """
    said = _ask(context, {"ask": "proof", "entry": entry})
    content = b64decode(said["content"])

    def check() -> None:
        keys = [read_verifier_key(line) for line in said["keys"]]
        checkpoint = verify_checkpoint(said["checkpoint"], keys, NoteSignatures())
        proof = [b64decode(value) for value in said["proof"]]
        verify_inclusion(said["entry"], checkpoint.size, hash_leaf(content), proof, checkpoint.root)

    _checked(context, check)
    if output is not None:
        proof = write_proof(said["entry"], [b64decode(value) for value in said["proof"]], said["checkpoint"])
        _write(context, output, proof.encode())
        _write(context, output.with_name(f"{output.name}.entry"), content)
    if as_json:
        print_json(said)
        return
    table = Table(box=None, show_header=False)
    for name, value in (
        ("entry", f"{said['entry']} of {said['size']:,}"),
        ("fact", said["id"]),
        ("recorded", said["recorded_at"]),
        ("subject", _subject(said["body"])),
        ("leaf hash", said["leaf_hash"]),
        ("proof", f"{len(said['proof'])} hashes: they lead to the signed root"),
    ):
        table.add_row(name, str(value))
    context.obj.screen.print(table)


@ledger.command()
def consistency(
    context: typer.Context,
    old: Annotated[int, typer.Argument(metavar="A", min=1, help="Size of the log then")],
    new: Annotated[int | None, typer.Argument(metavar="B", min=1, help="Its size later; now, if not given")] = None,
    as_json: AsJson = False,
) -> None:
    """Show that the log of A entries is the beginning of the log of B entries; the proof is checked here."""
    said = _ask(context, {"ask": "consistency", "old": old, "new": new})

    def check() -> None:
        keys = [read_verifier_key(line) for line in said["keys"]]
        notes = said["checkpoints"]
        missing = [size for size in (said["old"], said["new"]) if str(size) not in notes]
        if missing:
            raise HallmarkError(
                f"no checkpoint of {missing[0]} entries was signed: `hallmark ledger status` tells a size"
            )
        first, second = (
            verify_checkpoint(note, signing_keys(note, keys), NoteSignatures())
            for note in (notes[str(said["old"])], notes[str(said["new"])])
        )
        proof = [b64decode(value) for value in said["proof"]]
        verify_consistency(first.size, second.size, first.root, second.root, proof)

    _checked(context, check)
    if as_json:
        print_json(said)
        return
    context.obj.screen.print(
        f"the log of {said['new']:,} entries begins with that of {said['old']:,}: "
        f"{len(said['proof'])} hashes lead from one signed root to the other"
    )


@ledger.command()
def rebuild(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Only compare the lineage table with the log")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what the lineage table lacks anew from the log, and compare the two byte for byte."""
    start, size, different, written = 0, 1, [], 0
    columns = (TextColumn("entries"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=context.obj.errors, transient=True) as progress:
        task = progress.add_task("", total=None)
        while start < size:
            asked = {"mode": "check" if check else "write", "start": start, "count": _STRETCH}
            said = _call(context, "RebuildLineageFunctionName", asked)
            size, start = said["size"], start + _STRETCH
            different += said["different"]
            written += said["written"]
            progress.update(task, completed=min(start, size), total=size)
    if as_json:
        print_json({"entries": size, "written": written, "different": different})
    else:
        context.obj.screen.print(f"{size:,} entries of the log: {written:,} written into the lineage table")
        for found in different[:10]:
            context.obj.screen.print(f"  entry {found['entry']} differs: fact {found['id']}", style="red")
        if not different:
            context.obj.screen.print("the lineage table holds each of them, byte for byte", style="green")
    if different:
        raise typer.Exit(FAILED)


def _ask(context: typer.Context, question: dict[str, Any]) -> dict[str, Any]:
    return _call(context, "QueryLedgerFunctionName", question)


def _call(context: typer.Context, function: str, payload: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = guard(context, lambda service: service.call(function, _STACK, payload))
    return said


def _keys(context: typer.Context, given: list[str] | None) -> list[VerifierKey]:
    lines = given or _ask(context, {"ask": "status"})["keys"]
    try:
        return [read_verifier_key(line) for line in lines]
    except HallmarkError as error:
        fail(context, str(error))


def _checked(context: typer.Context, check: Callable[[], None]) -> None:
    try:
        check()
    except HallmarkError as error:
        fail(context, f"NOT PROVED: {error}")


def _write(context: typer.Context, file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        fail(context, f"{file}: {error.strerror}: choose another --output")


def _read_text(context: typer.Context, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        fail(context, f"{file}: {error.strerror}: name a file with a checkpoint")


def _subject(body: Any) -> str:
    subject = body.get("subject", {}) if isinstance(body, dict) else {}
    return f"{subject.get('kind', '')} {subject.get('id', '')}".strip()


def _verification(found: Verification, where: str) -> dict[str, Any]:
    checkpoint = found.checkpoint
    return {
        "log": where,
        "whole": found.is_whole,
        "entries": found.entries,
        "size": checkpoint.size if checkpoint else None,
        "root": checkpoint.root.hex() if checkpoint else None,
        "damages": [damage._asdict() for damage in found.damages],
    }


def _show(context: typer.Context, found: Verification, where: str) -> None:
    screen = context.obj.screen
    if found.checkpoint is not None:
        screen.print(f"{where}: {found.entries:,} entries read, {found.checkpoint.size:,} signed", markup=False)
    for damage in found.damages:
        screen.print(f"  {damage}", style="red", markup=False, soft_wrap=True)
    if found.is_whole:
        screen.print("whole: nothing was changed, removed, moved or added since it was signed", style="green")
    else:
        screen.print("NOT whole", style="bold red")
