"""What goes wrong on demand with a channel."""

from __future__ import annotations

import threading
from collections import deque

from pydantic import BaseModel, ConfigDict, Field

SLACK = "slack"
PAGERDUTY = "pagerduty"


class ChannelFault(BaseModel):
    """How a channel misbehaves.

    Attributes:
        status: It answers this instead of looking at the request; None where it looks at it.
        retry_after: Seconds, in the header ``Retry-After``.
        body: What it says.
        delay_seconds: It waits so long before it does anything.
        lose_answer: It does what it was asked for and closes the connection without an answer.
        times: Requests that meet the fault; None until it is cleared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int | None = Field(default=None, ge=200, le=599)
    retry_after: int | None = Field(default=None, ge=0)
    body: str = ""
    delay_seconds: float = Field(default=0.0, ge=0, le=600, allow_inf_nan=False)
    lose_answer: bool = False
    times: int | None = Field(default=1, ge=1)


class ChannelFaults:
    """Faults that are set, by channel, in the order in which they are met."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: dict[str, deque[ChannelFault]] = {}

    def set(self, channel: str, *faults: ChannelFault) -> None:
        """Let a channel's next requests meet these faults, one after the other, in the place of those set before."""
        with self._lock:
            self._set[channel] = deque(faults)

    def clear(self) -> None:
        """Let all channels behave."""
        with self._lock:
            self._set.clear()

    def meet(self, channel: str) -> ChannelFault | None:
        """Return the fault that this request meets."""
        with self._lock:
            faults = self._set.get(channel)
            if not faults:
                return None
            fault = faults[0]
            if fault.times is not None:
                faults.popleft()
                if fault.times > 1:
                    faults.appendleft(fault.model_copy(update={"times": fault.times - 1}))
            return fault
