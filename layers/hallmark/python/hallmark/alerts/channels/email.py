"""Plain e-mail through SNS."""

from __future__ import annotations

from typing import NamedTuple

from hallmark.alerts.channels.messages import Item, Message, span_of, time_of
from hallmark.alerts.channels.shortening import clean, clip_bytes, first, one_line, to_ascii

SUBJECT_LENGTH = 99
"""SNS takes less than 100 characters of ASCII (SNS API reference, Publish)."""
BODY_BYTES = 200_000
"""SNS takes 256 KiB with its attributes."""
_ITEMS = 50
_ENTRIES = 20
_LINE = 600


class Email(NamedTuple):
    """An e-mail."""

    subject: str
    body: str


def render_email(message: Message) -> Email:
    """Return an e-mail that a person can read on a phone: what broke comes first, links last."""
    subject = to_ascii(f"[Hallmark] {message.heading}")
    if len(subject) > SUBJECT_LENGTH:
        subject = subject[: SUBJECT_LENGTH - 3].rstrip() + "..."
    lines = [clean(message.heading), f"{message.counts}, said {time_of(message.said_at)}"]
    lines += [f"{one_line(fact.name)}: {one_line(fact.value)}" for fact in message.labels]
    if message.note:
        lines += ["", clean(message.note)]
    for number, item in enumerate(message.items[:_ITEMS], start=1):
        lines += ["", *_item(number, item)]
    if left_out := message.left_out(_ITEMS):
        lines += ["", f"… and {left_out} more alert{'' if left_out == 1 else 's'}"]
    body = clip_bytes("\n".join(lines), BODY_BYTES)
    return Email(subject, "\n".join([body, *_footer(message)]) + "\n")


def _item(number: int, item: Item) -> list[str]:
    lines = [
        f"{number}. {one_line(item.title)[:_LINE]} ({item.severity})",
        f"   {span_of(item)}",
    ]
    if item.summary:
        lines.append(f"   {one_line(item.summary)[:_LINE]}")
    lines += [f"   {one_line(f'{fact.name}: {fact.value}')[:_LINE]}" for fact in item.facts[:_ENTRIES]]
    for name, values in (
        ("Affected", item.affected),
        ("Changed upstream", item.upstream),
        ("What to do", item.remedies),
        ("See more", tuple(f"{told.name}: {told.value}" for told in item.commands)),
        ("Read on", tuple(f"{link.text}: {link.url}" for link in item.links)),
    ):
        if values:
            lines.append(f"   {name}:")
            lines += [f"   - {one_line(value)[:_LINE]}" for value in first(values, _ENTRIES)]
    return lines


def _footer(message: Message) -> list[str]:
    actions, lines = message.actions, []
    if message.status == "firing":
        if actions.acknowledge:
            lines.append(f"Acknowledge: {one_line(actions.acknowledge)}")
        if actions.silence:
            lines.append(f"Silence {one_line(actions.silence_for)}: {one_line(actions.silence)}")
    if actions.open:
        lines.append(f"Open: {one_line(actions.open)}")
    if message.owners:
        lines.append(f"Owners: {', '.join(first([one_line(owner)[:200] for owner in message.owners], _ENTRIES))}")
    return ["", *lines] if lines else []
