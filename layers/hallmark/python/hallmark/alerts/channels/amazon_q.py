"""Custom notifications of Amazon Q Developer in chat applications (its administrator guide, custom notifications)."""

from __future__ import annotations

from typing import Any

from hallmark.alerts.channels.messages import Item, Message, span_of, time_of
from hallmark.alerts.channels.shortening import clean, clip, first, one_line

TITLE_LENGTH = 250
DESCRIPTION_LENGTH = 8000
STEP_LENGTH = 350
KEYWORD_LENGTH = 75
_STEPS = 10
_KEYWORDS = 10
_MEASURES = ((12, 10, 500), (5, 5, 250), (2, 2, 200), (1, 1, 150), (0, 0, 100))


def render_amazon_q(message: Message) -> dict[str, Any]:
    """Return the notification as it is published on the SNS topic that the chat channel is subscribed to."""
    description = ""
    for items, entries, line in _MEASURES:
        description = _description(message, items, entries, line)
        if len(description) <= DESCRIPTION_LENGTH - 1:
            break
    remedies = list(dict.fromkeys(remedy for item in message.items for remedy in item.remedies))
    actions = message.actions
    steps = [clip(one_line(remedy), STEP_LENGTH) for remedy in first(remedies, _STEPS - 3)]
    if message.status == "firing":
        links = ((actions.acknowledge, "Acknowledge"), (actions.silence, f"Silence {actions.silence_for}"))
        steps += [step for url, text in links if url and len(step := f"[{text}]({url})") <= STEP_LENGTH]
    keywords = [message.severity, message.status, *(f"{fact.name}: {fact.value}" for fact in message.labels)]
    content: dict[str, Any] = {
        "textType": "client-markdown",
        "title": clip(one_line(f"{message.symbol} {message.heading}"), TITLE_LENGTH),
        "description": clip(description, DESCRIPTION_LENGTH),
        "keywords": [clip(one_line(word), KEYWORD_LENGTH) for word in keywords[:_KEYWORDS] if one_line(word)],
    }
    if steps := [step for step in steps if step]:
        content["nextSteps"] = steps
    return {
        "version": "1.0",
        "source": "custom",
        "id": message.id,
        "content": content,
        "metadata": {"threadId": message.group, "summary": clip(one_line(message.heading), TITLE_LENGTH)},
    }


def _description(message: Message, items: int, entries: int, line: int) -> str:
    lines = [f"{message.counts}, said {time_of(message.said_at)}"]
    if message.note:
        lines.append(clip(clean(message.note), line * 2))
    for item in message.items[:items]:
        lines += ["", *_item(item, entries, line)]
    left_out = message.left_out(items)
    if left_out:
        lines += ["", f"… and {left_out} more alerts" if items else f"{left_out} alerts, too long to show"]
    return "\n".join(lines)


def _item(item: Item, entries: int, line: int) -> list[str]:
    lines = [f"*{clip(one_line(item.title), line)}* ({item.severity}, {span_of(item)})"]
    if item.summary:
        lines.append(clip(one_line(item.summary), line))
    facts = tuple(f"{fact.name}: {fact.value}" for fact in item.facts)
    links = tuple(f"{link.text}: {link.url}" for link in item.links)
    for name, values in (
        ("", facts),
        ("Affected: ", item.affected),
        ("Changed upstream: ", item.upstream),
        ("", tuple(f"{told.name}: `{told.value}`" for told in item.commands)),
        ("", links),
    ):
        lines += [f"- {name}{clip(one_line(value), line)}" for value in first(values, entries)]
    return lines
