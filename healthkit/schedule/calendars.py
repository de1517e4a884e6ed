"""When a task is due: at a time of certain days, or every few minutes; as cron and systemd write it, and as instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Calendar:
    """Due times. `Calendar(hour=6, minute=15)` is daily; weekday or day of month, and months, narrow it.

    >>> Calendar(2, 0, weekday=0).cron, Calendar(2, 0, weekday=0).systemd
    ('0 2 * * 1', 'Mon *-*-* 02:00:00 UTC')
    >>> Calendar(0, 0, day=1, months=(1, 4, 7, 10)).systemd
    '*-01,04,07,10-01 00:00:00 UTC'
    >>> Calendar(every=5).cron, Calendar(every=5).systemd
    ('*/5 * * * *', '*-*-* *:00/5:00 UTC')
    """

    hour: int = 0
    minute: int = 0
    weekday: int | None = None
    """0 is Monday; None: every day."""
    day: int | None = None
    """Of the month, 1 to 28; never together with `weekday`, which cron would join by "or"."""
    months: tuple[int, ...] = ()
    """1 to 12; none means all."""
    every: int = 0
    """Minutes between due times, a divisor of 60; then nothing else counts."""

    @property
    def cron(self) -> str:
        """The five fields of crontab(5)."""
        if self.every:
            return f"*/{self.every} * * * *"
        weekday = "*" if self.weekday is None else (self.weekday + 1) % 7
        months = ",".join(map(str, self.months)) or "*"
        return f"{self.minute} {self.hour} {self.day or '*'} {months} {weekday}"

    @property
    def systemd(self) -> str:
        """The value of OnCalendar=, systemd.time(7), in UTC."""
        if self.every:
            return f"*-*-* *:00/{self.every}:00 UTC"
        weekday = "" if self.weekday is None else f"{_WEEKDAYS[self.weekday]} "
        months = ",".join(f"{month:02}" for month in self.months) or "*"
        day = f"{self.day:02}" if self.day else "*"
        return f"{weekday}*-{months}-{day} {self.hour:02}:{self.minute:02}:00 UTC"

    def previous(self, now: datetime, *, zone: tzinfo | None = UTC) -> datetime:
        """The newest due time that is not after *now*, UTC.

        Args:
            now: The time, aware.
            zone: Whose clock the times are of; None for this system's, as cron reads it.

        A time that a change of the clock leaves out is due at the change, which is when cron runs it; one that comes
        twice is due the first time: one due time a day, never none and never two.
        """
        return next(self._times(now, zone, -1))

    def following(self, now: datetime, *, zone: tzinfo | None = UTC) -> datetime:
        """The first due time after *now*, UTC; as `previous`."""
        return next(self._times(now, zone, 1))

    def _times(self, now: datetime, zone: tzinfo | None, step: int) -> Iterator[datetime]:
        """Due times up to now, newest first; or after it, oldest first."""
        if self.every:
            grid = timedelta(minutes=self.every)
            last = now.astimezone(UTC) - (now - datetime(1970, 1, 1, tzinfo=UTC)) % grid
            yield last if step < 0 else last + grid
            return
        today = now.astimezone(zone).date()
        for days in range(-1, 400):
            when = self._at(today + step * timedelta(days=days), zone)
            if when is not None and (when <= now if step < 0 else when > now):
                yield when

    def _at(self, day: date, zone: tzinfo | None) -> datetime | None:
        """The due time of a day, if it has one."""
        if self.weekday is not None and day.weekday() != self.weekday:
            return None
        if (self.day and day.day != self.day) or (self.months and day.month not in self.months):
            return None
        return _instant(datetime(day.year, day.month, day.day, self.hour, self.minute), zone)  # noqa: DTZ001 - a wall clock's


def _instant(wall: datetime, zone: tzinfo | None) -> datetime:
    """The first moment at which clocks show this time, or, if they skip it, a later one."""
    when = wall.replace(tzinfo=zone).astimezone(UTC)
    if _clock(when, zone) == wall:
        return when
    when -= timedelta(hours=3)  # no change of a clock is larger
    while _clock(when, zone) < wall:
        when += timedelta(minutes=1)
    return when


def _clock(when: datetime, zone: tzinfo | None) -> datetime:
    return when.astimezone(zone).replace(tzinfo=None)
