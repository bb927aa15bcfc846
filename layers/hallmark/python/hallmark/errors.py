"""What can go wrong, said so that the reader knows what to do next."""

from __future__ import annotations


class HallmarkError(Exception):
    """Base of every error that Hallmark raises on purpose."""


class InvalidInputError(HallmarkError):
    """Input that can never succeed, whoever sends it again: it goes to the dead-letter queue, with this text.

    Args:
        field: Where the input is wrong, as a dotted path (``detail.TrainingJobArn``).
        value: What stood there.
        remedy: What to do about it.
    """

    def __init__(self, field: str, value: object, remedy: str) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= _VALUE_LENGTH else shown[:_VALUE_LENGTH] + "…"
        super().__init__(f"{field} is {shown}: {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy


class UnavailableError(HallmarkError):
    """A service did not answer as it should; the same call may succeed later."""


class NotFoundError(HallmarkError):
    """What was asked for does not exist (any more)."""


_VALUE_LENGTH = 200
