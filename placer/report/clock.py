"""Times as the people of a site read them: by the clock of the zone in which a night's windows are stated."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from placer_models.clock import Nightly
from placer_models.plan import Plan


class WallClock:
    """The clock of one zone. `name` is how it is called; days are told where the times are of more than one."""

    def __init__(self, zone: tzinfo, name: str, instants: Iterable[datetime] = ()) -> None:
        self.zone, self.name = zone, name
        self.days = {instant.astimezone(zone).date() for instant in instants}

    @classmethod
    def of(cls, plan: Plan) -> WallClock:
        """The clock of the zone that the request's windows name, else UTC."""
        windows = plan.asked.request.windows if plan.asked else ()
        name = next((window.zone for window in windows if isinstance(window, Nightly)), "UTC")
        return cls(UTC if name == "UTC" else ZoneInfo(name), name, (window.from_ for window in plan.window))

    def time(self, instant: datetime) -> str:
        """`22:00:25`, or with its day in front where there are several nights."""
        local = instant.astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M:%S}" if len(self.days) > 1 else f"{local:%H:%M:%S}"

    def tick(self, seconds: float) -> str:
        """`22:00`, or `22:00:25`, of an instant in seconds since 1970; with its day where there are several nights."""
        local = datetime.fromtimestamp(seconds, UTC).astimezone(self.zone)
        time = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
        return f"{local:%m-%d} {time}" if len(self.days) > 1 else time

    def day(self, instant: datetime) -> str:
        """`2026-11-20 22:00`."""
        return f"{instant.astimezone(self.zone):%Y-%m-%d %H:%M}"


def lasting(length: timedelta) -> str:
    """`6 h 12 min`, `4 min 10 s`, `25 s`."""
    seconds = round(length.total_seconds())
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"
