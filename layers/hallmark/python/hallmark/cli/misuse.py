"""Exit codes of commands of gates that were not understood: none that is a gate's word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer

from hallmark.cli.helping import WholeHelp

_ERROR: Final = 3
_UsageError: Any = typer.BadParameter.__mro__[1]
"""Click's, or the one that typer brings."""


class GateGroup(WholeHelp):
    """Commands whose exit code is a gate's word: 3 is an error.

    Click's own code of a misspelled option or command is 2, which says that the gate is inconclusive: a job of CI that
    lets doubt pass would let the misspelling pass as well.
    """

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the group's own options."""
        with _misuse_is_an_error():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Find the command, read its options, and run it."""
        with _misuse_is_an_error():
            return super().invoke(ctx)


@contextmanager
def _misuse_is_an_error() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        error.exit_code = _ERROR
        raise
