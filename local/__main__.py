"""``python -m local``: AWS's APIs on this machine, for development, tests and the demonstration."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from hallmark.cli.helping import WholeHelp
from local.bedrock_commands import bedrock_commands
from local.channel_commands import channel_commands
from local.cloud import CloudStartError, LocalCloud
from local.deployment import LOCAL_CONTEXT, CloudAddress, DeploymentError
from local.deployment import deploy as deploy_app
from local.envelopes import Event, NotAnEventError, parse_events
from local.port_owner import PortInUseError
from local.settings import DEFAULT_PORT, CloudSettings, checkout_directory, child_environment, client_environment
from local.state import AlreadyRunningError, NotRunningError, RunningState, StateFolder

_STOP_SECONDS = 20.0
_REQUEST_SECONDS = 30.0
_FAILED = 1

app = typer.Typer(
    cls=WholeHelp,
    help="The local cloud: AWS's APIs on one port of this machine, with IAM enforced.",
    epilog="Example: python -m local up --detach && python -m local deploy && python -m local emit event.json",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_screen = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

PortOption = Annotated[int, typer.Option(help="TCP port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog='Example: python -m local up --detach; eval "$(python -m local env)"')
def up(
    port: PortOption = DEFAULT_PORT,
    account: Annotated[str, typer.Option(help="Account that it plays, twelve digits.")] = "111122223333",
    region: Annotated[str, typer.Option(help="Region that it plays.")] = "us-east-1",
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background; log in .local/cloud.log.")] = False,
    ready_descriptor: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Start it, and print the variables through which AWS's tools reach it.

    Without --detach it runs until Ctrl-C. All state is in memory and goes when it stops.
    """
    try:
        settings = CloudSettings(account=account, region=region, port=port)
    except ValidationError as error:
        _fail("; ".join(f"--{problem['loc'][0]} {problem['input']!r}: {problem['msg']}" for problem in error.errors()))
    folder = _state_folder()
    if detach:
        _start_in_background(settings, folder)
        return
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        with folder.claim(), LocalCloud(settings) as cloud:
            _serve_until_told(cloud, folder, ready_descriptor)
    except (AlreadyRunningError, PortInUseError, CloudStartError) as error:
        _fail(error)


@app.command()
def env() -> None:
    """Print the export lines for this shell: eval "$(python -m local env)"."""
    state = _running_state()
    _print_exports(client_environment(state.endpoint, state.account, state.region))


@app.command(epilog="Example: python -m local deploy --json > outputs.json")
def deploy(
    *,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the CDK's lines only if it fails.")] = False,
) -> None:
    """Deploy the CDK app of this checkout into the running local cloud."""
    state = _running_state()
    variables = child_environment(state.endpoint, state.account, state.region)
    address = CloudAddress(state.endpoint, state.account, state.region, variables)

    def echo(line: str) -> None:
        if not (quiet or as_json):
            _screen.print(line, markup=False)

    try:
        deployment = deploy_app(_checkout(), address, echo=echo, context=LOCAL_CONTEXT)
    except DeploymentError as error:
        _fail(error)
    if as_json:
        _print_json({"outputs": deployment.outputs, "seconds": deployment.seconds})
        return
    for stack, outputs in deployment.outputs.items():
        for name, value in outputs.items():
            _screen.print(f"{stack}.{name} = {value}", markup=False)
    _screen.print("deployed in " + ", ".join(f"{part} {took} s" for part, took in deployment.seconds.items()))


@app.command(epilog="Example: python -m local emit tests/payloads/aws/*.json; jq -c . events | python -m local emit -")
def emit(
    files: Annotated[list[str], typer.Argument(help="JSON files: an event, a list, or one event a line; - is stdin.")],
    *,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Change nothing; by default account and Region become the local ones.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish events on the default bus as AWS's services do; ids and times stay as they are.

    Nothing is published if one of the files holds something that is no event.
    """
    try:
        events = [event for name in files for event in _read_events(name)]
    except NotAnEventError as error:
        _fail(error)
    answer = _request("POST", "events", {"events": events, "as_is": as_is})
    if as_json:
        _print_json(answer)
    else:
        _screen.print(f"published {answer['published']} event{'' if answer['published'] == 1 else 's'}")


@app.command()
def reset() -> None:
    """Empty all state: stacks, data, functions, jobs. Deploy again afterwards."""
    _request("POST", "reset")
    _screen.print("all state is empty")


@app.command()
def down() -> None:
    """Stop the local cloud that runs in this checkout, with its functions and jobs."""
    folder = _state_folder()
    try:
        state = folder.read()
    except NotRunningError:
        _screen.print("the local cloud does not run")
        return
    os.kill(state.pid, signal.SIGTERM)
    if not folder.wait_until_stopped(_STOP_SECONDS):
        _fail(f"process {state.pid} does not stop within {_STOP_SECONDS:.0f} s: end it with `kill -9 {state.pid}`")
    _screen.print("stopped")


@app.command()
def status(*, as_json: JsonOption = False) -> None:
    """Show what runs, which stacks are deployed, and how many messages wait in each dead-letter queue."""
    state = _running_state()
    answer = _request("GET", "status")
    if as_json:
        _print_json({"pid": state.pid, "started_at": state.started_at, **answer})
        return
    _screen.print(
        f"running at {answer['endpoint']} since {state.started_at} (process {state.pid}), "
        f"account {answer['account']}, {answer['region']}, {len(answer['services'])} services"
    )
    _print_table("Stack", "Status", answer["stacks"], empty="no stack is deployed")
    _print_table("Dead-letter queue", "Messages", answer["dead_letters"], empty="no dead-letter queue")


def _serve_until_told(cloud: LocalCloud, folder: StateFolder, ready_descriptor: int) -> None:
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: told.set())
    folder.write(
        RunningState(
            pid=os.getpid(),
            port=cloud.port,
            endpoint=cloud.endpoint,
            account=cloud.account,
            region=cloud.region,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )
    if ready_descriptor >= 0:
        os.write(ready_descriptor, b"ready\n")
        os.close(ready_descriptor)
    else:
        _print_exports(cloud.environment())
        _errors.print(f"running at {cloud.endpoint}; Ctrl-C stops it")
    told.wait()
    _errors.print("stopping")


def _start_in_background(settings: CloudSettings, folder: StateFolder) -> None:
    folder.path.mkdir(exist_ok=True)
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "local", "up", "--ready-descriptor", str(writer)]
    command += ["--port", str(settings.port), "--account", settings.account, "--region", settings.region]
    with folder.log.open("w", encoding="utf-8") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[writer],
            start_new_session=True,
            cwd=folder.path.parent,
        )
    os.close(writer)
    # The pipe closes without a word when the process ends before it is ready.
    with os.fdopen(reader) as pipe:
        is_ready = pipe.readline() == "ready\n"
    if not is_ready:
        _fail(folder.log.read_text(encoding="utf-8").strip() or f"it did not start, and {folder.log} is empty")
    state = folder.read()
    _print_exports(client_environment(state.endpoint, state.account, state.region))
    _errors.print(
        f"running at {state.endpoint} (process {state.pid}), log in {folder.log}; `python -m local down` stops it"
    )


def _read_events(name: str) -> list[Event]:
    if name == "-":
        return parse_events(sys.stdin.read(), "stdin")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotAnEventError(f"{name} cannot be read: {error}") from error
    return parse_events(text, name)


def _request(method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask the running cloud's own paths; end the command with its message if it refuses."""
    state = _running_state()
    request = urllib.request.Request(  # noqa: S310 - always http://127.0.0.1
        f"{state.endpoint}/_local/{path}", method=method, data=None if body is None else json.dumps(body).encode()
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_REQUEST_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        _fail(json.load(error)["message"])
    except OSError as error:
        _fail(f"the local cloud at {state.endpoint} does not answer ({error}): see {_state_folder().log}")


def _running_state() -> RunningState:
    try:
        return _state_folder().read()
    except NotRunningError as error:
        _fail(error)


def _state_folder() -> StateFolder:
    return StateFolder(_checkout())


def _checkout() -> Path:
    try:
        return checkout_directory()
    except FileNotFoundError as error:
        _fail(error)


def _print_exports(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.flush()


def _print_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _print_table(first: str, second: str, rows: Mapping[str, object], *, empty: str) -> None:
    if not rows:
        _screen.print(empty)
        return
    table = Table(first, second)
    for name, value in rows.items():
        table.add_row(name, str(value))
    _screen.print(table)


def _fail(reason: object) -> NoReturn:
    _errors.print(str(reason))
    raise typer.Exit(_FAILED)


app.add_typer(bedrock_commands(_request), cls=WholeHelp, name="bedrock")
app.add_typer(channel_commands(_request), cls=WholeHelp, name="channels")

if __name__ == "__main__":
    app(prog_name="python -m local")
