"""``hallmark openlineage``: let clients of OpenLineage reach Hallmark, or send events from a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hallmark.cli.forwarding import LOCAL_HOSTS, Forwarder
from hallmark.cli.session import fail, guard, print_json

STACK = "HallmarkIntake"
_AT_ONCE = 200
"""Events of one call, so that it stays within Lambda's 6 MB."""

foreign = typer.Typer(help="Lineage of other tools: sign and hand on what OpenLineage's clients send, or send a file.")


@foreign.command()
def proxy(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one")] = 5050,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    anyone: Annotated[
        bool, typer.Option("--anyone", help="Listen to other machines too: whoever reaches the port sends as you")
    ] = False,
) -> None:
    """Listen on a local port, sign each request as you, and hand it on, until you stop it.

    Clients take OPENLINEAGE_URL=http://127.0.0.1:5050 and nothing else.
    """
    if host not in LOCAL_HOSTS and not anyone:
        fail(context, f"--host {host}: whoever reaches it would send in your name; add --anyone if that is meant")
    posts = guard(context, lambda service: service.signed_posts("LineageIntakeUrl", STACK))
    try:
        server = Forwarder((host, port), posts, lambda line: context.obj.errors.print(line, style="dim"))
    except OSError as error:
        fail(context, f"{host}:{port}: {error.strerror}: take another --port")
    address = f"http://{host}:{server.server_address[1]}"
    context.obj.screen.print(f"OPENLINEAGE_URL={address}", soft_wrap=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        context.obj.errors.print("stopped", style="dim")
    finally:
        server.server_close()


@foreign.command()
def send(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An event, a list of them, or one a line; - is stdin")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON")] = False,
) -> None:
    """Send OpenLineage events, CloudEvents or facts of a file. Sending them again changes nothing."""
    events = _read(context, file)
    by = guard(context, lambda service: service.caller())
    total: dict[str, Any] = {"events": 0, "ignored": 0, "nodes": [], "unmatchedInputs": []}
    for start in range(0, len(events), _AT_ONCE):
        answer = receive(context, events[start : start + _AT_ONCE], by)
        total = {name: total[name] + answer[name] for name in total}
    if as_json:
        print_json(total)
        return
    context.obj.screen.print(f"{total['events']} events, {total['ignored']} of them Hallmark's own", markup=False)
    for place in dict.fromkeys(total["unmatchedInputs"]):
        context.obj.errors.print(f"nothing else in lineage tells of {place}", style="yellow", markup=False)


def receive(context: typer.Context, events: list[Any], by: str) -> dict[str, Any]:
    """Hand events to the function that takes lineage; end, where it refuses them."""
    payload = {"events": events, "by": by}
    answer: dict[str, Any] = guard(context, lambda service: service.call("ReceiveLineageFunctionName", STACK, payload))
    return answer


def _read(context: typer.Context, file: Path) -> list[Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(context, f"{file}: {error}: name a file of JSON")
    try:
        document = json.loads(text)
    except ValueError:
        return [_line(context, file, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return document if isinstance(document, list) else [document]


def _line(context: typer.Context, file: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        fail(context, f"{file}:{number}: no JSON ({error}): write one event a line, or a list")
