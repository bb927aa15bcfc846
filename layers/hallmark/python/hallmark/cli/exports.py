"""``hallmark export``: a node's lineage as a document that other tools, or people, read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
import yaml

from hallmark.cli import screens
from hallmark.cli.pictures.pdf import first_sheet_png, page_pdf
from hallmark.cli.pictures.scene import compose
from hallmark.cli.pictures.svg import draw_svg
from hallmark.cli.session import LineageService, fail, guard
from hallmark.cli.times import read_time
from hallmark.errors import HallmarkError, NotFoundError
from hallmark.lineage.accountable import ApprovalsAnswer, ApprovalsQuestion, Approved
from hallmark.lineage.exports.annex_iv import Statements, annex_iv, annex_iv_json, annex_iv_page, read_statements
from hallmark.lineage.exports.cyclonedx import cyclonedx
from hallmark.lineage.exports.material import Material, document_text, gather
from hallmark.lineage.exports.model_card import model_card
from hallmark.lineage.exports.openlineage import openlineage
from hallmark.lineage.exports.pages import Page, page_html, page_markdown
from hallmark.lineage.exports.passport import Proofs, passport
from hallmark.lineage.exports.prov import prov_json
from hallmark.lineage.exports.sending import CATALOG_BYTES, CATALOG_SCHEME, send_all
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Answer, Candidates, Question

exports = typer.Typer(rich_markup_mode=None)
"""The command ``export``."""

NOT_TOLD = 2
CUT = 3
_PACKAGES_ASKED = 10


class Format(StrEnum):
    """What a lineage can be written as."""

    OPENLINEAGE = "openlineage"
    PROV = "prov"
    CYCLONEDX = "cyclonedx"
    MODEL_CARD = "model-card"
    PASSPORT = "passport"
    ANNEX_IV = "annex-iv"
    ALL = "all"


_DOCUMENTS: dict[Format, Callable[[Material], object]] = {
    Format.OPENLINEAGE: openlineage,
    Format.PROV: prov_json,
    Format.CYCLONEDX: cyclonedx,
    Format.MODEL_CARD: model_card,
}
_FILES: dict[str, Format] = {
    "openlineage.json": Format.OPENLINEAGE,
    "prov.json": Format.PROV,
    "cyclonedx.json": Format.CYCLONEDX,
    "model-card.json": Format.MODEL_CARD,
    "passport.html": Format.PASSPORT,
    "passport.pdf": Format.PASSPORT,
    "passport.png": Format.PASSPORT,
    "annex-iv.html": Format.ANNEX_IV,
    "annex-iv.json": Format.ANNEX_IV,
}
"""What ``all`` writes into a folder."""


class _Shown(NamedTuple):
    """What a passport shows beside the material: how the ledger stands, and whose word approved its models."""

    proofs: Proofs | None = None
    approved: tuple[Approved, ...] = ()


@exports.command("export")
def export(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help="ARN, S3 URI, kind:name, or a unique part of a name")],
    form: Annotated[Format, typer.Option("--format", "-f", help="The standard to write")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else the screen")] = None,
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="The graph as it held then")] = None,
    known_at: Annotated[str | None, typer.Option(metavar="TIME", help="Only what had been learned by then")] = None,
    nodes: Annotated[int, typer.Option(min=1, max=10_000, help="Nodes that are read at most, one by one")] = 300,
    statements: Annotated[
        Path | None, typer.Option(metavar="FILE", help="annex-iv: what only people know (examples/annex-iv.yaml)")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="openlineage: send the events there; datazone://DOMAIN for SageMaker Catalog"),
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="OPENLINEAGE_API_KEY", help="API key of --to", show_envvar=True)
    ] = None,
) -> None:
    """Write a node's lineage for other tools, or as a page for people. Exit code 3: not all of it was read.

    openlineage: run events. prov: W3C PROV-JSON. cyclonedx: a bill of materials with model cards. model-card: the
    content of a SageMaker model card. passport: one page on a model. annex-iv: the technical documentation that the EU
    AI Act asks for. The name of a page's file tells what it becomes: .html, .md, .pdf, .png (its first sheet), and
    .json for annex-iv. all: every one of them, into the folder that --output names.
    """
    if to is not None and form is not Format.OPENLINEAGE:
        raise typer.BadParameter(f"{form.value} is a document: write it with -o", param_hint="--to")
    if form is Format.ALL and output is None:
        raise typer.BadParameter("all is written into a folder: name it by --output", param_hint="--output")
    said = _statements(context, statements)
    when, known = _time(as_of, "--as-of"), _time(known_at, "--known-at")
    material = guard(context, lambda service: gather(service.ask, node, as_of=when, known_at=known, nodes=nodes))
    if isinstance(material, Candidates):
        context.obj.errors.print(screens.candidates_screen(material), soft_wrap=True)
        raise typer.Exit(NOT_TOLD)
    if to is not None:
        _send(context, material, to, key)
    elif form is Format.ALL and output is not None:
        _put_all(context, material, output, said)
    else:
        shown = _shown(context, material) if form is Format.PASSPORT else _Shown()
        try:
            written = _written(material, form, output.suffix if output else ".html", said, shown)
        except HallmarkError as error:
            fail(context, str(error))
        _put(context, written, output, _described(material))
    if not material.complete:
        for missing in material.cut:
            context.obj.errors.print(f"INCOMPLETE: {missing}", style="bold yellow", markup=False, soft_wrap=True)
        context.obj.errors.print("Read more with --nodes", style="yellow")
        raise typer.Exit(CUT)


def _written(material: Material, form: Format, suffix: str, said: Statements, shown: _Shown) -> bytes:
    """Return a document as the bytes of a file with a suffix.

    Raises:
        HallmarkError: There is nothing to write of this kind, or no way to write it.
    """
    if form in _DOCUMENTS:
        return document_text(_DOCUMENTS[form](material)).encode()
    if form is Format.ANNEX_IV:
        made = annex_iv(material, said)
        if suffix == ".json":
            return document_text(annex_iv_json(made)).encode()
        return _page(annex_iv_page(made), suffix, material)
    return _page(passport(material, shown.proofs, shown.approved), suffix, material)


def _page(page: Page, suffix: str, material: Material) -> bytes:
    if suffix == ".md":
        return page_markdown(page).encode()
    title = f"Origin of {material.start.label}"
    picture = draw_svg(compose(title, material.nodes, material.edges, material.start.key, cut=not material.complete))
    if suffix not in {".pdf", ".png"}:
        return page_html(page, picture).encode()
    sheets = page_pdf(page, picture)
    return sheets if suffix == ".pdf" else first_sheet_png(sheets)


def _send(context: typer.Context, material: Material, to: str, key: str | None) -> None:
    """Send each event to whoever takes them; sending them again changes nothing there."""
    if not to.startswith(("https://", "http://", CATALOG_SCHEME)):
        raise typer.BadParameter(f"write https://HOST/api/v1/lineage or {CATALOG_SCHEME}DOMAIN", param_hint="--to")
    most = CATALOG_BYTES if to.startswith(CATALOG_SCHEME) else None
    post = guard(context, lambda service: service.lineage_target(to, key))
    sent = guard(context, lambda _: send_all(openlineage(material), post, most))
    context.obj.screen.print(f"{to}: {sent} events about {material.start.label}", markup=False, soft_wrap=True)


def _shown(context: typer.Context, material: Material) -> _Shown:
    return _Shown(_proofs(context), _approved(context, material))


def _approved(context: typer.Context, material: Material) -> tuple[Approved, ...]:
    """Return whose word approved the registered models of a material, the nearest first."""
    found: list[Approved] = []
    for package in material.of_kind(NodeKind.MODEL_PACKAGE)[:_PACKAGES_ASKED]:
        question = ApprovalsQuestion(
            group=package.key, everything=True, as_of=material.as_of, known_at=material.known_at
        )
        answer = guard(context, partial(_ask, question))
        if isinstance(answer, ApprovalsAnswer):
            found += [each for each in answer.approved if each.package.key == package.key]
    return tuple(found)


def _ask(question: Question, service: LineageService) -> Answer:
    return service.ask(question)


def _proofs(context: typer.Context) -> Proofs | None:
    """Return how the ledger stands; None, and a word on the screen, where it cannot be asked."""
    try:
        said = context.obj.connect().call("QueryLedgerFunctionName", "HallmarkLedger", {"ask": "status"})
    except HallmarkError as error:
        context.obj.errors.print(f"The ledger was not asked: {error}", style="yellow", markup=False, soft_wrap=True)
        return None
    return Proofs(said["origin"], said["size"], said["root"], tuple(said["keys"]))


def _put_all(context: typer.Context, material: Material, folder: Path, said: Statements) -> None:
    shown = _shown(context, material)
    for name, form in _FILES.items():
        try:
            written = _written(material, form, Path(name).suffix, said, shown)
        except NotFoundError as error:
            context.obj.errors.print(f"{name} is left out: {error}", style="yellow", markup=False, soft_wrap=True)
        else:
            _put(context, written, folder / name, _described(material))


def _described(material: Material) -> str:
    return f"{material.start.label}, {len(material.nodes)} nodes"


def _put(context: typer.Context, written: bytes, output: Path | None, what: str) -> None:
    if output is None:
        sys.stdout.write(written.decode())
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(written)
    except OSError as error:
        fail(context, f"{output}: {error.strerror}: choose another --output")
    context.obj.screen.print(f"{output}: {what}", markup=False)


def _statements(context: typer.Context, file: Path | None) -> Statements:
    if file is None:
        return Statements()
    try:
        return read_statements(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fail(context, f"{file}: {error}: name a YAML file, as examples/annex-iv.yaml is one")
    except HallmarkError as error:
        fail(context, f"{file}: {error}")


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        return read_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
