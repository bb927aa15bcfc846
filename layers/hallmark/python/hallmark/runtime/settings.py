"""Settings of functions: one frozen model each, read from the environment once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hallmark.errors import HallmarkError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class SettingsError(HallmarkError):
    """The function's environment is not what it needs."""


class Settings(BaseModel):
    """Base of the settings of each function; field ``x_y`` is the variable ``X_Y``."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=str.upper, populate_by_name=True, defer_build=True
    )

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings.

        Raises:
            SettingsError: A variable is missing or cannot be read; names each and the remedy.
        """
        try:
            return cls.model_validate(dict(os.environ))
        except ValidationError as error:
            faults = "; ".join(_fault(fault) for fault in error.errors())
            raise SettingsError(f"{faults}: deploy the stack again, it sets the variables of its functions") from None


def _fault(fault: ErrorDetails) -> str:
    name = fault["loc"][0]
    if fault["type"] == "missing":
        return f"variable {name} is missing"
    return f"variable {name} is {fault['input']!r}: {fault['msg']}"
