"""Slack's Block Kit, within its limits (docs.slack.dev, reference of blocks and block elements)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hallmark.alerts.channels.messages import RESOLVED_SYMBOL as RESOLVED
from hallmark.alerts.channels.messages import SYMBOLS, Item, Link, Message, span_of, time_of
from hallmark.alerts.channels.shortening import clean, clip, first, length, one_line
from hallmark.alerts.channels.tokens import Purpose

HEADER_LENGTH = 150
SECTION_LENGTH = 3000
BUTTON_LENGTH = 75
URL_LENGTH = 3000
VALUE_LENGTH = 2000
BLOCKS = 50
TOTAL_LENGTH = 12_000
"""Slack says ``msg_blocks_too_long`` somewhere above 13,000 characters, and documents no figure."""
_FALLBACK_LENGTH = 300
ACKNOWLEDGE = "hallmark_acknowledge"
SILENCE = "hallmark_silence"
OPEN = "hallmark_open"
BUTTONS: Mapping[Purpose, str] = {"ack": ACKNOWLEDGE, "silence": SILENCE}
"""The button of each purpose."""

# How many alerts are told in full, and how many entries of each list, from ample to scant: the first that fits is sent.
_MEASURES = ((12, 10, SECTION_LENGTH), (8, 5, 2000), (5, 3, 1500), (3, 2, 1000), (1, 1, 800), (0, 0, 400))
Block = dict[str, Any]


def render_slack(message: Message, *, total: int = TOTAL_LENGTH, is_interactive: bool = False) -> dict[str, Any]:
    """Return the body of a message to an incoming webhook.

    Args:
        message: What is said.
        total: Characters that all blocks may have together; what does not fit is left out, with the count.
        is_interactive: The team's Slack app sends presses of buttons to Hallmark, so that a press acts at once;
            otherwise the buttons open a page that asks first.
    """
    blocks: list[Block] = []
    for items, entries, section in _MEASURES:
        blocks = _blocks(message, items, entries, section, is_interactive=is_interactive)
        if len(blocks) <= BLOCKS and sum(length(text) for text in _texts(blocks)) <= total:
            break
    return {"text": clip(one_line(message.heading), _FALLBACK_LENGTH, escape), "blocks": blocks}


def _blocks(message: Message, items: int, entries: int, section: int, *, is_interactive: bool) -> list[Block]:
    told = [f"{message.counts}", f"said {time_of(message.said_at)}"]
    told += [f"{fact.name}: {fact.value}" for fact in message.labels[:6]]
    if message.owners:
        told.append("owners: " + ", ".join(first(message.owners, 5)))
    blocks: list[Block] = [
        {"type": "header", "text": _plain(f"{message.symbol} {message.heading}", HEADER_LENGTH)},
        {"type": "context", "elements": [_text(" · ".join(one_line(part) for part in told), min(section, 1000))]},
    ]
    if message.note:
        blocks.append({"type": "section", "text": _text(clean(message.note), min(section, 1000))})
    for item in message.items[:items]:
        blocks.append({"type": "divider"})
        blocks.append({"type": "section", "text": _item(item, entries, section)})
    left_out = message.left_out(items)
    if left_out:
        more = (
            f"{left_out} more alert{'' if left_out == 1 else 's'}" if items else f"{left_out} alerts, too long to show"
        )
        blocks.append({"type": "context", "elements": [_text(f"… and {more}", SECTION_LENGTH)]})
    buttons = _buttons(message, is_interactive=is_interactive)
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    return blocks


def _item(item: Item, entries: int, most: int) -> Block:
    """Return one alert as one text: each part in what is left, so that a long one does not push out the remedy."""
    symbol = RESOLVED if item.status == "resolved" else SYMBOLS[item.severity]
    parts = [
        f"{symbol} *{clip(one_line(item.title), 200, escape)}*",
        f"_{span_of(item)}_",
    ]
    if item.summary:
        parts.append(clip(clean(item.summary), max(most // 4, 100), escape))
    facts = [f"{fact.name}: {fact.value}" for fact in item.facts]
    for name, values in (
        ("", facts),
        ("Affected", item.affected),
        ("Changed upstream", item.upstream),
        ("What to do", item.remedies),
        ("See more", [f"{command.name}: {command.value}" for command in item.commands]),
    ):
        lines = [f"• {clip(one_line(value), max(most // 10, 60), escape)}" for value in first(values, entries)]
        if lines:
            parts.append("\n".join([f"*{name}*", *lines] if name else lines))
    links = [text for text in map(_link, item.links) if text]
    whole = "\n".join(parts)
    for link in links:
        if length(whole) + length(link) + 3 <= most:
            whole += ("\n" if link is links[0] else " · ") + link
    return {"type": "mrkdwn", "text": whole if length(whole) <= most else _cut(whole, most)}


def _cut(escaped: str, most: int) -> str:
    """Return a text that is escaped already, cut between lines: no escape and no link is cut in half."""
    lines = escaped.split("\n")
    said = "_… shortened_"
    kept: list[str] = []
    left = most - length(said)
    for line in lines:
        left -= length(line) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join([*kept, said])


def _buttons(message: Message, *, is_interactive: bool) -> list[Block]:
    actions = message.actions
    buttons: list[Block] = []
    if message.status == "firing":
        if is_interactive:
            buttons.append(_button("Acknowledge", ACKNOWLEDGE, style="primary", value=actions.acknowledge_token))
            buttons.append(_button(f"Silence {actions.silence_for}", SILENCE, value=actions.silence_token))
        else:
            buttons += [
                _button("Acknowledge", ACKNOWLEDGE, style="primary", url=actions.acknowledge),
                _button(f"Silence {actions.silence_for}", SILENCE, url=actions.silence),
            ]
    buttons.append(_button("Open", OPEN, url=actions.open))
    return [button for button in buttons if _is_usable(button)]


def _is_usable(button: Block) -> bool:
    if "value" in button:
        return 0 < len(button["value"]) <= VALUE_LENGTH
    return _is_address(button["url"]) and len(button["url"]) <= URL_LENGTH


def _button(text: str, action_id: str, **more: str) -> Block:
    return {"type": "button", "text": _plain(text, BUTTON_LENGTH), "action_id": action_id, **more}


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": clip(one_line(text), most), "emoji": True}


def _text(text: str, most: int) -> Block:
    return {"type": "mrkdwn", "text": clip(text, most, escape) or " "}


def _link(link: Link) -> str:
    if not _is_address(link.url) or length(link.url) > URL_LENGTH // 4:
        return ""
    address = link.url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{address}|{clip(one_line(link.text).replace('|', '/'), 100, escape) or 'link'}>"


def _is_address(url: str) -> bool:
    return url.startswith(("https://", "http://")) and not any(letter.isspace() for letter in url) and url == clean(url)


def escape(text: str) -> str:
    """Return a text in which nothing is a mention, a link or a command (docs.slack.dev, formatting message text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return []
    if isinstance(value, Sequence):
        return [text for part in value for text in _texts(part)]
    if not isinstance(value, dict):
        return []
    own = [value["text"]] if isinstance(value.get("text"), str) else []
    return own + [text for part in value.values() for text in _texts(part)]
