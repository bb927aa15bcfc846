"""Messages of every shape, for the limits of channels."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from hallmark.alerts.channels.messages import Actions, Change, Fact, Item, Link, Message

_HOSTILE = ["", "<!channel> & <https://x.example|y>", "| > <", "\ud800\x00\n\r\t", "&" * 300, "😀" * 200]
_TEXT = st.one_of(st.text(max_size=12), st.sampled_from(_HOSTILE))
_LONG = st.one_of(_TEXT, st.sampled_from(["a" * 5000, "😀" * 2500, "&" * 4000, "word " * 1000]))
_URL = st.one_of(
    st.just(""), st.just("https://example.com/a?b=c&d=<e>"), _TEXT, st.just("https://e.example/" + "a" * 4000)
)
_TIME = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_SEVERITY = st.sampled_from(["info", "warning", "error", "critical"])
_STATUS = st.sampled_from(["firing", "resolved"])
_FACT = st.builds(Fact, name=_TEXT, value=_TEXT)


def _many(strategy: st.SearchStrategy[object], most: int = 30) -> st.SearchStrategy[tuple[object, ...]]:
    """Return few different ones, or the same one many times over."""
    return st.one_of(
        st.lists(strategy, max_size=2).map(tuple),
        st.tuples(strategy, st.integers(5, most)).map(lambda told: (told[0],) * told[1]),
    )


ITEMS = st.builds(
    Item,
    title=_LONG,
    status=_STATUS,
    severity=_SEVERITY,
    since=_TIME,
    until=st.none() | _TIME,
    summary=_LONG,
    facts=_many(_FACT),
    affected=_many(_TEXT),
    upstream=_many(_TEXT),
    remedies=_many(_LONG),
    commands=_many(_FACT),
    links=_many(st.builds(Link, text=_TEXT, url=_URL)),
)
MESSAGES = st.builds(
    Message,
    id=st.text(min_size=1, max_size=64),
    group=st.text(min_size=1, max_size=300),
    status=_STATUS,
    severity=_SEVERITY,
    title=_LONG,
    note=_LONG,
    labels=_many(_FACT),
    items=_many(ITEMS),
    firing=st.integers(0, 10_000),
    resolved=st.integers(0, 10_000),
    said_at=_TIME,
    actions=st.builds(Actions, acknowledge=_URL, silence=_URL, silence_for=_TEXT, open=_URL),
    owners=_many(_TEXT),
)
CHANGES = st.builds(
    Change, summary=_LONG, source=_LONG, at=_TIME, facts=_many(st.builds(Fact, name=_LONG, value=_LONG))
)
