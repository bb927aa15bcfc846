"""What a measurement says."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

LISTED_INCOMPLETE = 100
"""Incomplete resources of a kind that a report lists, the newest first; the others are counted."""
LISTED_UNMATCHED = 100


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Gap(_Frozen):
    """One thing that is missing: which, because of what, and how to mend it."""

    need: str
    """A ``Need`` of the policy; ``record`` where nothing at all is recorded."""
    because: str
    remedy: str
    is_required: bool = True
    """Whether the policy asks for it."""


class Incomplete(_Frozen):
    """A resource whose lineage lacks something that the policy asks for."""

    arn: str
    name: str
    made_at: datetime | None = None
    gaps: tuple[Gap, ...]


class KindCoverage(_Frozen):
    """How complete lineage is for one kind of resource."""

    kind: str
    in_account: int
    """Listed by AWS now."""
    gone: int = 0
    """Recorded, and listed no more: deleted since."""
    recorded: int
    running: int = 0
    """Runs that have not ended: not judged."""
    judged: int
    complete: int
    lacking: dict[str, int] = {}
    """By need, how many of the judged lack it, whether the policy asks for it or not."""
    incomplete: tuple[Incomplete, ...] = ()
    incomplete_left_out: int = 0
    whole: bool = True
    """Whether everything was listed and looked at; ``note`` says what was not, and why."""
    note: str = ""

    @property
    def percent(self) -> float | None:
        """Return the share of the judged that is complete; None where there is nothing to judge."""
        return 100 * self.complete / self.judged if self.judged else None


class UnmatchedInput(_Frozen):
    """Data that runs read, which no run wrote, and of which no content is known."""

    dataset: str
    readers: int
    first_reader: str
    because: str = ""
    remedy: str = ""


class CoverageReport(_Frozen):
    """A measurement."""

    measured_at: datetime
    since: datetime | None = None
    """What was made since then; None: everything."""
    required: tuple[str, ...]
    kinds: tuple[KindCoverage, ...]
    unmatched: int = 0
    unmatched_inputs: tuple[UnmatchedInput, ...] = ()

    @property
    def whole(self) -> bool:
        """Tell whether everything was listed and looked at."""
        return all(kind.whole for kind in self.kinds)

    @property
    def judged(self) -> int:
        """Return how many resources were judged."""
        return sum(kind.judged for kind in self.kinds)

    @property
    def complete(self) -> int:
        """Return how many of them have complete lineage."""
        return sum(kind.complete for kind in self.kinds)

    @property
    def percent(self) -> float | None:
        """Return the share of all judged resources that is complete; None where there is nothing to judge."""
        return 100 * self.complete / self.judged if self.judged else None
