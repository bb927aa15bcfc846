"""What the demonstration asks can be copied from the screen, however narrow it is."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from local.demo_headings import heading


@pytest.mark.parametrize("title", ["hallmark show x", f"hallmark trace arn:aws:states:{'execution:' * 12} --up"])
def test_a_heading_is_printed_whole(title: str) -> None:
    out = StringIO()

    heading(Console(file=out, width=80), title, "cyan")

    assert title in out.getvalue()
    assert "─" in out.getvalue()
