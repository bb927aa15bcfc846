"""What a message in Slack says after a press of one of its buttons.

Slack sends the message along with the press, and an address that takes its replacement five times within half an hour
(docs.slack.dev, "Handling user interaction", message responses): so nothing has to be kept of messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hallmark.alerts.channels.messages import time_of
from hallmark.alerts.channels.posting import Poster, is_safe
from hallmark.alerts.channels.shortening import clip, one_line
from hallmark.alerts.channels.slack import BLOCKS, BUTTONS, SECTION_LENGTH, escape
from hallmark.alerts.channels.tokens import Purpose
from hallmark.errors import InvalidInputError, UnavailableError

_GOOD = range(200, 300)
Block = dict[str, Any]


def show_done(message: object, purpose: Purpose, by: str, at: datetime, silence_for: str) -> dict[str, Any]:
    """Return what replaces a message: it says who did what, and has the button no more that was pressed.

    Args:
        message: As Slack sent it; whatever it is, what was done is said.
        purpose: What the button was for.
        by: Who has it, or silenced it.
        at: When.
        silence_for: How long a silence lasts.
    """
    told = message if isinstance(message, Mapping) else {}
    who = clip(one_line(by), 200, escape)
    done = f"{who} has it" if purpose == "ack" else f"{who} silenced it for {silence_for}"
    said = {"type": "context", "elements": [{"type": "mrkdwn", "text": f":white_check_mark: *{done}*, {time_of(at)}"}]}
    blocks: list[Block] = []
    for block in told.get("blocks") or []:
        if isinstance(block, dict) and block.get("type") == "actions":
            left = [each for each in block.get("elements", []) if each.get("action_id") != BUTTONS[purpose]]
            blocks += [said, *([{**block, "elements": left}] if left else [])]
        elif isinstance(block, dict):
            blocks.append(block)
    if said not in blocks:
        blocks.append(said)
    # A message may be as long as Slack takes it: what was done counts more than the last of many alerts.
    while len(blocks) > BLOCKS:
        del blocks[blocks.index(said) - 1]
    text = clip(f"{done}: {told.get('text') or 'an alert'}", SECTION_LENGTH)
    return {"replace_original": True, "text": text, "blocks": blocks}


def tell_alone(text: str) -> dict[str, Any]:
    """Return what only the person sees who pressed."""
    return {"replace_original": False, "response_type": "ephemeral", "text": text}


def post_answer(poster: Poster, url: object, answer: Mapping[str, Any]) -> None:
    """Send an answer to the address that came with a press.

    Raises:
        InvalidInputError: It is no such address, or Slack does not take the answer.
        UnavailableError: No answer came.
    """
    if not isinstance(url, str) or not is_safe(url):
        raise InvalidInputError("response_url", "(not shown)", "Slack sends an address that begins with https://")
    taken = poster.post(url, json.dumps(answer).encode(), {"Content-Type": "application/json"})
    if taken.status >= 500:  # noqa: PLR2004 - server faults (RFC 9110, 15.6)
        raise UnavailableError(f"Slack answered {taken.status}")
    if taken.status not in _GOOD:
        raise InvalidInputError("the answer", "(not shown)", f"Slack answered {taken.status} {taken.body[:200]}")
