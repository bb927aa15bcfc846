"""The list of commands in a help text, with whole sentences."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

_LETTERS = 300
"""Longer than the first sentence of any command's help: it is wrapped, not cut."""


class WholeHelp(TyperGroup):
    """A group whose help says the first sentence of each command's help, however narrow the screen is."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        names = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands[name].get_short_help_str(limit=_LETTERS)) for name in names])
