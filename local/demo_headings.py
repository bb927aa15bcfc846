"""Headings of the demonstration: what is asked, or what happens next."""

from __future__ import annotations

from rich.console import Console
from rich.rule import Rule
from rich.text import Text


def heading(screen: Console, title: str, style: str) -> None:
    """Print a title with a line after it; one that is wider than the screen is printed whole, to be copied."""
    text = Text(title)
    if text.cell_len + 2 > screen.width:
        screen.print(Rule(style=style))
        screen.print(text, soft_wrap=True)
    else:
        screen.print(Rule(text, align="left", style=style))
