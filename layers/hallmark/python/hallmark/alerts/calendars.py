"""Times of the week in a team's own time zone: business hours, quiet hours, the hour of a digest."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("write a time zone as Europe/Berlin or UTC") from None
    return name


def _to_time(value: object) -> object:
    if isinstance(value, int):  # YAML 1.1 reads 09:30 without quotes as a number in base 60
        hours, minutes = divmod(value, 60)
        value = f"{hours:02}:{minutes:02}"
    if isinstance(value, str):
        try:
            return time.fromisoformat("00:00" if value == "24:00" else value)
        except ValueError:
            raise ValueError("write a time of day as 09:30") from None
    return value


TimeZone = Annotated[str, AfterValidator(_check_zone)]
TimeOfDay = Annotated[time, BeforeValidator(_to_time)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class WeeklyHours(_Frozen):
    """Some days, from a time of day to another one; to an earlier one means over midnight."""

    weekdays: tuple[Weekday, ...] = WEEKDAYS
    start: TimeOfDay = Field(default=time(0), alias="from")
    end: TimeOfDay = Field(default=time(0), alias="to")

    def has(self, moment: datetime) -> bool:
        """Tell whether a local time lies in it."""
        clock = moment.time().replace(tzinfo=None)
        if self.start < self.end:
            return WEEKDAYS[moment.weekday()] in self.weekdays and self.start <= clock < self.end
        yesterday = WEEKDAYS[(moment.weekday() - 1) % 7]
        return (clock >= self.start and WEEKDAYS[moment.weekday()] in self.weekdays) or (
            clock < self.end and yesterday in self.weekdays
        )


class TimeInterval(_Frozen):
    """Hours of the week in a time zone."""

    time_zone: TimeZone = "UTC"
    hours: tuple[WeeklyHours, ...] = Field(min_length=1)

    def has(self, moment: datetime) -> bool:
        """Tell whether a moment lies in it."""
        local = moment.astimezone(ZoneInfo(self.time_zone))
        return any(hours.has(local) for hours in self.hours)


class Digest(_Frozen):
    """All that happened since the last time, told at an hour of some days."""

    at: TimeOfDay = time(8)
    time_zone: TimeZone = "UTC"
    weekdays: tuple[Weekday, ...] = Field(default=WEEKDAYS, min_length=1)

    def after(self, moment: datetime) -> datetime:
        """Return the first time after a moment; a time that a change of clocks leaves out comes an hour later."""
        zone = ZoneInfo(self.time_zone)
        first: date = moment.astimezone(zone).date()
        for days in range(9):
            day = first + timedelta(days=days)
            told = datetime.combine(day, self.at, zone).astimezone(UTC)
            if told > moment and WEEKDAYS[day.weekday()] in self.weekdays:
                return told
        raise AssertionError("a week has a day on which a digest is sent")
