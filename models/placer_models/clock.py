"""Windows of time: wall clocks with their zones outside, whole seconds inside.

A window crosses midnight and changes of daylight saving as the wall clock of its zone does: 22:00 to 06:30 is 8.5
hours on most nights, 7.5 in the night in which the clocks go forward and 9.5 when they go back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, Discriminator, Field, Tag, model_validator

from placer_models.document import Document, quote

YEARS = range(2, 9999)
"""Those that are whole years in every zone."""

_WALL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"found {quote(name)}, expected a time zone such as 'Europe/Berlin' or 'UTC'") from None
    return name


def _wall_time(text: str) -> str:
    if not _WALL_TIME.fullmatch(text):
        raise ValueError(f"found {quote(text)}, expected a time of day such as '22:00'")
    return text


def _told_anywhere(instant: datetime) -> datetime:
    if instant.year not in YEARS:
        raise ValueError(f"found {instant.isoformat()}, expected a time in the years {YEARS[0]} to {YEARS[-1]}")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(_told_anywhere)]
"""A time with its zone, which the clocks of all other zones can tell, too."""

Zone = Annotated[str, AfterValidator(_zone)]
WallTime = Annotated[str, AfterValidator(_wall_time)]


class Span(Document):
    """One stretch of time, from an instant until another (RFC 3339 with zone)."""

    from_: Instant = Field(alias="from")
    until: Instant

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.until <= self.from_:
            raise ValueError(f"found an end at {self.until.isoformat()}, expected one after {self.from_.isoformat()}")
        return self

    def spans(self) -> list[tuple[datetime, datetime]]:
        """The stretch, in UTC."""
        return [(self.from_.astimezone(UTC), self.until.astimezone(UTC))]


class Nightly(Document):
    """The same hours on several nights, by the wall clock of a zone: `first` is the day on whose evening the first
    night begins.

    As in calendars (RFC 5545, 3.3.5): a time that the clock shows twice is the first of the two, and one that it
    skips is told by the clock from before it was put forward (02:30 becomes 03:30). A night of which nothing is left
    by that is left out.
    """

    from_: WallTime = Field(alias="from")
    until: WallTime
    zone: Zone
    first: date
    nights: int = Field(default=1, ge=1, le=366)

    @model_validator(mode="after")
    def _in_calendar(self) -> Self:
        begun = YEARS[:-2]  # so that the last of its nights has ended by then
        if self.first.year not in begun:
            raise ValueError(f"found a first night in {self.first.year}, expected one in {begun[0]} to {begun[-1]}")
        return self

    def spans(self) -> list[tuple[datetime, datetime]]:
        """Each night's stretch, in UTC."""
        begin, end = time.fromisoformat(self.from_), time.fromisoformat(self.until)
        overnight = timedelta(days=int(end <= begin))
        days = (self.first + timedelta(days=number) for number in range(self.nights))
        nights = [(self._instant(day, begin), self._instant(day + overnight, end)) for day in days]
        return [(begin, end) for begin, end in nights if begin < end]

    def _instant(self, day: date, wall: time) -> datetime:
        return datetime.combine(day, wall, ZoneInfo(self.zone)).astimezone(UTC)


def _which(value: object) -> str:
    """A window that names a zone, a first night or a number of them is nightly, and one that begins at a time of day;
    any other is a single span.
    """
    if not isinstance(value, Mapping):
        return "nightly" if isinstance(value, Nightly) else "span"
    begins = value.get("from")
    by_clock = isinstance(begins, str) and _WALL_TIME.fullmatch(begins) is not None
    return "nightly" if by_clock or not {"zone", "first", "nights"}.isdisjoint(value) else "span"


Window = Annotated[Annotated[Span, Tag("span")] | Annotated[Nightly, Tag("nightly")], Discriminator(_which)]


@dataclass(frozen=True)
class Clock:
    """Whole seconds since an origin, and back."""

    origin: datetime

    def seconds(self, instant: datetime) -> int:
        """An instant in whole seconds, rounded down."""
        return int((instant.astimezone(UTC) - self.origin).total_seconds() // 1)

    def instant(self, seconds: int) -> datetime:
        """The instant that many seconds after the origin, in UTC."""
        return self.origin + timedelta(seconds=seconds)


def merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The stretches in order, those that touch or overlap made one."""
    found: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found
