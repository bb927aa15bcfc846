"""Secrets of Secrets Manager: read when they are needed, kept for a while, shown nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.errors import InvalidInputError

_KEPT_SECONDS = 300.0


class Secrets:
    """Secrets by name.

    Args:
        client: Of Secrets Manager.
        kept_seconds: How long a value is used before it is read anew.
        clock: Seconds that only grow.
    """

    def __init__(
        self, client: Any, *, kept_seconds: float = _KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._kept_seconds = kept_seconds
        self._clock = clock
        self._known: dict[str, tuple[str, float]] = {}

    def read(self, name: str) -> str:
        """Return a secret's value.

        Raises:
            InvalidInputError: There is no such secret, or the function may not read it.
            UnavailableError: Secrets Manager did not answer.
        """
        value, until = self._known.get(name, ("", 0.0))
        if value and self._clock() < until:
            return value
        try:
            with calling("reading a secret"):
                answer = self._client.get_secret_value(SecretId=name)
        except ClientError as error:
            remedy = f"{error_code(error)}: create it in Secrets Manager under the name that hallmark.yaml says"
            raise InvalidInputError("the secret", name, remedy) from None
        value = answer.get("SecretString") or ""
        if not value:
            raise InvalidInputError("the secret", name, "it is empty: put the value in it as text")
        self._known[name] = (value, self._clock() + self._kept_seconds)
        return str(value)

    def forget(self, name: str) -> None:
        """Read a secret anew the next time."""
        self._known.pop(name, None)

    def __repr__(self) -> str:
        """Say nothing of the values."""
        return f"Secrets({sorted(self._known)})"
