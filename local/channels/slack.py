"""Slack's incoming webhooks: what they take, and what they say to the rest.

Limits: reference of Block Kit's blocks and elements (docs.slack.dev); that all blocks together may have about 13,200
characters is documented nowhere and was measured by others (slackapi/bolt-js, issue 2509).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

BLOCKS = 50
BLOCKS_LENGTH = 13_200
_HEADER = 150
_SECTION = 3000
_FIELDS = 10
_FIELD = 2000
_CONTEXT = 10
_ACTIONS = 25
_BUTTON = 75
_ID = 255
_VALUE = 2000
_URL = 3000
_TEXT = 40_000


class SlackMessage(NamedTuple):
    """A message that a channel took."""

    webhook: str
    body: dict[str, Any]

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The message's blocks."""
        blocks: list[dict[str, Any]] = self.body.get("blocks", [])
        return blocks

    @property
    def text(self) -> str:
        """Everything that a person reads of it."""
        return "\n".join(_texts(self.blocks)) or str(self.body.get("text", ""))

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """Its buttons, by what is written on them."""
        return {
            element["text"]["text"]: element
            for block in self.blocks
            if block["type"] == "actions"
            for element in block["elements"]
        }


class SlackAnswer(NamedTuple):
    """Status and text of an answer; ``retry_after`` in seconds."""

    status: int
    text: str
    retry_after: int | None = None


class BlockError(Exception):
    """A message that Slack does not take; the text is what it says."""


class SlackWebhooks:
    """Takes messages, and keeps them.

    Attributes:
        seconds_between: A webhook takes one message in so many seconds, and says 429 to the rest; 0 takes all.
    """

    def __init__(self) -> None:
        self.seconds_between = 0.0
        self._lock = threading.Lock()
        self._messages: list[SlackMessage] = []
        self._taken_at: dict[str, float] = {}

    @property
    def messages(self) -> list[SlackMessage]:
        """What was taken, in its order."""
        with self._lock:
            return list(self._messages)

    def clear(self) -> None:
        """Forget all messages, and take as many as there come."""
        with self._lock:
            self.seconds_between = 0.0
            self._messages.clear()
            self._taken_at.clear()

    def post(self, webhook: str, payload: bytes) -> SlackAnswer:
        """Answer one message to a webhook."""
        with self._lock:
            now = time.monotonic()
            wait = self._taken_at.get(webhook, -self.seconds_between) + self.seconds_between - now
            if wait > 0:
                return SlackAnswer(429, "rate_limited", max(1, round(wait)))
            try:
                body = _read(payload)
            except BlockError as refused:
                return SlackAnswer(400, str(refused))
            self._taken_at[webhook] = now
            self._messages.append(SlackMessage(webhook, body))
        return SlackAnswer(200, "ok")

    def message_with(self, value: str) -> SlackMessage | None:
        """Return the latest message with a button of a value: what was pressed."""
        found = (
            message
            for message in reversed(self.messages)
            if any(button.get("value") == value for button in message.buttons.values())
        )
        return next(found, None)

    def replace(self, message: SlackMessage, payload: bytes) -> SlackAnswer:
        """Answer what is sent to the response URL of a press: it may replace the message that has the button."""
        try:
            body = _read(payload)
        except BlockError as refused:
            return SlackAnswer(400, str(refused))
        with self._lock:
            if body.get("replace_original") and message in self._messages:
                shown = {name: value for name, value in body.items() if name != "replace_original"}
                self._messages[self._messages.index(message)] = SlackMessage(message.webhook, shown)
        return SlackAnswer(200, "ok")


def _read(payload: bytes) -> dict[str, Any]:
    try:
        body = json.loads(payload)
    except ValueError as error:
        raise BlockError("invalid_payload") from error
    if not isinstance(body, dict):
        raise BlockError("invalid_payload")
    blocks = body.get("blocks", [])
    if not body.get("text") and not blocks:
        raise BlockError("no_text")
    if len(str(body.get("text", ""))) > _TEXT:
        raise BlockError("msg_too_long")
    _check(isinstance(blocks, list) and len(blocks) <= BLOCKS)
    ids: set[str] = set()
    for block in blocks:
        _check_block(block)
        name = block.get("block_id")
        _check(name is None or (0 < len(name) <= _ID and name not in ids))
        ids.add(name or "")
    if sum(len(text) for text in _texts(blocks)) > BLOCKS_LENGTH:
        raise BlockError("msg_blocks_too_long")
    return body


def _check(is_right: object) -> None:
    if not is_right:
        raise BlockError("invalid_blocks")


def _check_block(block: Any) -> None:
    _check(isinstance(block, dict))
    match block.get("type"):
        case "header":
            _check_text(block.get("text"), _HEADER, kinds=("plain_text",))
        case "section":
            fields = block.get("fields")
            _check(block.get("text") or fields)
            if block.get("text"):
                _check_text(block["text"], _SECTION)
            if fields is not None:
                _check(isinstance(fields, list) and 1 <= len(fields) <= _FIELDS)
                for field in fields:
                    _check_text(field, _FIELD)
        case "context":
            elements = block.get("elements")
            _check(isinstance(elements, list) and 1 <= len(elements) <= _CONTEXT)
            for element in elements:
                _check_text(element, _SECTION)
        case "actions":
            _check_actions(block.get("elements"))
        case "divider":
            pass
        case _:
            _check(False)


def _check_actions(elements: Any) -> None:
    _check(isinstance(elements, list) and 1 <= len(elements) <= _ACTIONS)
    ids = set()
    for element in elements:
        _check(isinstance(element, dict) and element.get("type") == "button")
        _check_text(element.get("text"), _BUTTON, kinds=("plain_text",))
        _check(len(element.get("value", "")) <= _VALUE and len(element.get("url", "")) <= _URL)
        _check(element.get("style", "primary") in {"primary", "danger"})
        name = element.get("action_id", "")
        _check(len(name) <= _ID and (not name or name not in ids))
        ids.add(name)


def _check_text(text: Any, longest: int, kinds: Sequence[str] = ("plain_text", "mrkdwn")) -> None:
    _check(isinstance(text, Mapping) and text.get("type") in kinds and isinstance(text.get("text"), str))
    _check(0 < len(text["text"]) <= longest)


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if not isinstance(value, dict):
        return []
    if value.get("type") in {"plain_text", "mrkdwn"}:
        return [str(value.get("text", ""))]
    return [text for part in value.values() for text in _texts(part)]
