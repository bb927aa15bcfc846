"""What a connector needs of the outside world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from hallmark.events.records import LineageSection


class ToolApi(Protocol):
    """The HTTP API of a tool that answers in JSON."""

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Mapping[str, Any]:
        """Return the answer to a GET.

        Raises:
            NotFoundError: The tool has no such thing.
            InvalidInputError: The tool will never answer this: it refuses the token, or the request.
            UnavailableError: The tool does not answer now.
        """
        ...

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer to a POST; raises as ``get`` does."""
        ...


class Known(NamedTuple):
    """What a connector remembers of a thing that it has listed.

    ``name`` tells it within its tool's server, ``told`` is the digest of what was told of it last, ``state`` whatever
    else its connector must know the next time; ``seen_at`` is when the pass began that listed it last.
    """

    name: str
    told: str
    seen_at: datetime
    state: Mapping[str, Any] = {}


class Memory(Protocol):
    """What a connector remembers of one server from pass to pass; losing it costs a pass that tells all of it again."""

    def recall(self, names: Sequence[str]) -> Mapping[str, Known]:
        """Return what is remembered of these things."""
        ...

    def remember(self, things: Iterable[Known]) -> None:
        """Remember things, in place of what was remembered of them."""
        ...

    def forget(self, names: Iterable[str]) -> None:
        """Remember nothing of these things any more."""
        ...

    def unseen(self, prefix: str, since: datetime) -> Iterator[Known]:
        """Yield the things whose names begin so and that no pass since a time has listed."""
        ...


class Reporter(Protocol):
    """Where sections go."""

    def report(self, tool: str, sections: Sequence[LineageSection]) -> None:
        """Tell lineage; the same section may be told again.

        Raises:
            UnavailableError: They cannot be told now.
        """
        ...
