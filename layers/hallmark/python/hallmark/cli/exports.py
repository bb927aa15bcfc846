"""``hallmark export``: a node's lineage as a document that other tools, or people, read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hallmark.cli import screens
from hallmark.cli.pictures.scene import compose
from hallmark.cli.pictures.svg import draw_svg
from hallmark.cli.session import fail, guard
from hallmark.cli.times import read_time
from hallmark.lineage.exports.cyclonedx import cyclonedx
from hallmark.lineage.exports.material import Material, document_text, gather
from hallmark.lineage.exports.openlineage import openlineage
from hallmark.lineage.exports.passport import passport_html, passport_markdown
from hallmark.lineage.exports.prov import prov_json
from hallmark.lineage.questions import Candidates

exports = typer.Typer(rich_markup_mode=None)
"""The command ``export``."""

NOT_TOLD = 2
CUT = 3


class Format(StrEnum):
    """What a lineage can be written as."""

    OPENLINEAGE = "openlineage"
    PROV = "prov"
    CYCLONEDX = "cyclonedx"
    PASSPORT = "passport"


def _page(material: Material) -> str:
    title = f"Origin of {material.start.label}"
    scene = compose(title, material.nodes, material.edges, material.start.key, cut=not material.complete)
    return passport_html(material, draw_svg(scene))


_WRITERS: dict[Format, Callable[[Material], str]] = {
    Format.OPENLINEAGE: lambda material: document_text(openlineage(material)),
    Format.PROV: lambda material: document_text(prov_json(material)),
    Format.CYCLONEDX: lambda material: document_text(cyclonedx(material)),
    Format.PASSPORT: _page,
}


@exports.command("export")
def export(
    context: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help="ARN, S3 URI, kind:name, or a unique part of a name")],
    form: Annotated[Format, typer.Option("--format", "-f", help="The standard to write")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else the screen")] = None,
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="The graph as it held then")] = None,
    known_at: Annotated[str | None, typer.Option(metavar="TIME", help="Only what had been learned by then")] = None,
    nodes: Annotated[int, typer.Option(min=1, max=10_000, help="Nodes that are read at most, one by one")] = 300,
) -> None:
    """Write a node's lineage for other tools, or as a page for people. Exit code 3: not all of it was read.

    openlineage: run events. prov: W3C PROV-JSON. cyclonedx: a bill of materials with model cards. passport: one page
    that can be printed (.html), or a text (.md).
    """
    when, known = _time(as_of, "--as-of"), _time(known_at, "--known-at")
    material = guard(context, lambda service: gather(service.ask, node, as_of=when, known_at=known, nodes=nodes))
    if isinstance(material, Candidates):
        context.obj.errors.print(screens.candidates_screen(material), soft_wrap=True)
        raise typer.Exit(NOT_TOLD)
    markdown = form is Format.PASSPORT and output is not None and output.suffix == ".md"
    text = passport_markdown(material) if markdown else _WRITERS[form](material)
    if output is None:
        sys.stdout.write(text)
    else:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_bytes(text.encode())
        except OSError as error:
            fail(context, f"{output}: {error.strerror}: choose another --output")
        context.obj.screen.print(f"{output}: {material.start.label}, {len(material.nodes)} nodes", markup=False)
    if not material.complete:
        for missing in material.cut:
            context.obj.errors.print(f"INCOMPLETE: {missing}", style="bold yellow", markup=False, soft_wrap=True)
        context.obj.errors.print("Read more with --nodes", style="yellow")
        raise typer.Exit(CUT)


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        return read_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
