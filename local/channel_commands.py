"""``python -m local channels``: what Slack and PagerDuty were sent, and how they misbehave."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

Request = Callable[..., dict[str, Any]]
_screen = Console(highlight=False, soft_wrap=True, markup=False)
_EXAMPLE = "Example: python -m local channels fault slack --status 429 --retry-after 2 --times 3"
JsonOption = Annotated[bool, typer.Option("--json", help="Print the JSON that was sent.")]


def channel_commands(request: Request) -> typer.Typer:
    """Return the commands.

    Args:
        request: Asks the running cloud's own paths, with method, path and body.
    """
    app = typer.Typer(help="Slack and PagerDuty on this machine.", no_args_is_help=True, rich_markup_mode=None)

    @app.command()
    def slack(*, as_json: JsonOption = False) -> None:
        """Show the messages that Slack took."""
        messages = request("GET", "channels/slack")["messages"]
        if as_json:
            sys.stdout.write(json.dumps(messages, indent=2, ensure_ascii=False) + "\n")
            return
        for message in messages:
            _screen.print(f"--- {message['webhook']}\n{message['text']}\n")
        if not messages:
            _screen.print("no message was sent to Slack")

    @app.command()
    def pagerduty(*, as_json: JsonOption = False) -> None:
        """Show the incidents that PagerDuty keeps."""
        incidents = request("GET", "channels/pagerduty")["incidents"]
        if as_json:
            sys.stdout.write(json.dumps(incidents, indent=2, ensure_ascii=False) + "\n")
            return
        for incident in incidents:
            summary = incident["events"][0]["payload"]["summary"]
            _screen.print(f"{incident['status']:<13} {incident['dedup_key']}  {summary}")
        if not incidents:
            _screen.print("no incident was opened in PagerDuty")

    @app.command(epilog=_EXAMPLE)
    def fault(
        channel: Annotated[str, typer.Argument(help="slack or pagerduty.")],
        status: Annotated[int | None, typer.Option(help="Answer this.")] = None,
        retry_after: Annotated[int | None, typer.Option(help="With this header, in seconds.")] = None,
        body: Annotated[str, typer.Option(help="And these words.")] = "",
        delay_seconds: Annotated[float, typer.Option(help="After so long.")] = 0.0,
        times: Annotated[int | None, typer.Option(help="So often; without it until it is cleared.")] = None,
    ) -> None:
        """Let a channel misbehave; without options, no longer."""
        wanted = {
            "status": status,
            "retry_after": retry_after,
            "body": body,
            "delay_seconds": delay_seconds,
            "times": times,
        }
        faults = [wanted] if status is not None or delay_seconds else []
        answer = request("PUT", "channels/faults", {"channel": channel, "faults": faults})
        _screen.print(f"{answer['channel']}: {json.dumps(answer['faults']) if answer['faults'] else 'no fault'}")

    return app
