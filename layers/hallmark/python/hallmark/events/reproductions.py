"""What is told of runs that were started to reproduce other ones."""

from __future__ import annotations

from hallmark.events.records import RecordedEvent

REPRODUCTION_JUDGED = "ReproductionJudged"


class ReproductionJudged(RecordedEvent):
    """A second run has ended, and was compared with the first one. ``reproduction`` tells a repeat."""

    reproduction: str
    """The node: ``hallmark:reproduction/<kind>/<name>@<born>``."""
    original: str
    """Key of the first run."""
    run: str
    """Key of the second one."""
    outcome: str
    """``Exact``, ``WithinTolerance``, ``Different`` or ``Inconclusive``."""
    summary: str
    tolerance: float
    """The relative difference of metrics that was allowed; ``tolerance_rule`` says why."""
    tolerance_rule: str
