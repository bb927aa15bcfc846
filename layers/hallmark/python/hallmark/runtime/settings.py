"""Settings of functions: one frozen model each, read from the environment once."""

from __future__ import annotations

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hallmark.errors import HallmarkError


class SettingsError(HallmarkError):
    """The function's environment is not what it needs."""


class Settings(BaseModel):
    """Base of the settings of each function; field ``x_y`` is the variable ``X_Y``."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper, populate_by_name=True)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings.

        Raises:
            SettingsError: A variable is missing or cannot be read; names each and the remedy.
        """
        try:
            return cls.model_validate(dict(os.environ))
        except ValidationError as error:
            faults = "; ".join(
                f"variable {fault['loc'][0]} {'is missing' if fault['type'] == 'missing' else fault['msg']}"
                for fault in error.errors()
            )
            raise SettingsError(f"{faults}: deploy the stack again, it sets the variables of its functions") from None
