"""Days, ISO weeks, months, quarters: half-open spans of UTC time with a label.

Labels: `2026-11-23`, `2026-W47` (ISO 8601 week, Monday first), `2026-03`, `2026-Q1`. The runbook's `%Y-W%U` splits the
week at New Year in two; ISO weeks do not.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

from healthkit.errors import ParameterError

Cadence = Literal["daily", "weekly", "monthly", "quarterly"]
CADENCES: tuple[Cadence, ...] = get_args(Cadence)

_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z", re.ASCII)
_WEEK = re.compile(r"(\d{4})-W(\d\d)\Z", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d\d)\Z", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-Q([1-4])\Z", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A span of time: from `start`, up to but not including `end`."""

    start: datetime
    """First moment, UTC."""
    end: datetime
    """First moment that no longer belongs to it, UTC."""
    label: str
    """`2026-W47`"""
    cadence: Cadence

    @classmethod
    def parse(cls, label: str) -> Period:
        """The period with this label.

        Raises:
            ParameterError: No day, week, month or quarter is written so.
        """
        try:
            if match := _WEEK.match(label):
                year, week = map(int, match.groups())
                return cls.of("weekly", datetime.fromisocalendar(year, week, 1).replace(tzinfo=UTC))
            if match := _QUARTER.match(label):
                year, quarter = map(int, match.groups())
                return cls.of("quarterly", datetime(year, 3 * quarter - 2, 1, tzinfo=UTC))
            if match := _MONTH.match(label):
                year, month = map(int, match.groups())
                return cls.of("monthly", datetime(year, month, 1, tzinfo=UTC))
            if match := _DAY.match(label):
                year, month, day = map(int, match.groups())
                return cls.of("daily", datetime(year, month, day, tzinfo=UTC))
        except ValueError as error:
            raise ParameterError(f"period {label!r}: {error}") from error
        raise ParameterError(f"period {label!r}: write 2026-11-23, 2026-W47, 2026-11 or 2026-Q4")

    @classmethod
    def of(cls, cadence: Cadence, when: datetime) -> Period:
        """The day, week, month or quarter that contains *when*.

        Raises:
            ParameterError: *when* has no time zone, or there is no such cadence.
        """
        if when.tzinfo is None:
            raise ParameterError(f"{when!r} has no time zone")
        when = when.astimezone(UTC)
        day = datetime(when.year, when.month, when.day, tzinfo=UTC)
        if cadence == "daily":
            return cls(day, day + timedelta(days=1), f"{day:%Y-%m-%d}", cadence)
        if cadence == "weekly":
            start = day - timedelta(days=day.weekday())
            year, week, _ = start.isocalendar()
            return cls(start, start + timedelta(days=7), f"{year:04d}-W{week:02d}", cadence)
        if cadence == "monthly":
            start = day.replace(day=1)
            return cls(start, _first_of_month(start, 1), f"{start:%Y-%m}", cadence)
        if cadence == "quarterly":
            start = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
            return cls(start, _first_of_month(start, 3), f"{start.year:04d}-Q{start.month // 3 + 1}", cadence)
        raise ParameterError(f"cadence {cadence!r}: one of {', '.join(CADENCES)}")

    @classmethod
    def asked(cls, cadence: Cadence, label: str, now: datetime) -> Period:
        """The period that a report of this cadence is to be of.

        Raises:
            ParameterError: It is no label, another cadence's, or of a period that has not begun.
        """
        period = cls.parse(label)
        if period.cadence != cadence:
            raise ParameterError(f"period {label!r} is {period.cadence}, the report is {cadence}")
        if period.start > now:
            raise ParameterError(f"period {label!r} has not begun")
        return period

    def previous(self) -> Period:
        """The period that ends where this one starts."""
        return Period.of(self.cadence, self.start - timedelta(microseconds=1))

    def next(self) -> Period:
        """The period that starts where this one ends."""
        return Period.of(self.cadence, self.end)

    def ended(self, now: datetime) -> bool:
        """Whether it lies in the past, as a whole."""
        return self.end <= now

    @property
    def days(self) -> int:
        """Length in days of 86 400 s."""
        return (self.end - self.start).days

    def __contains__(self, when: datetime) -> bool:
        return self.start <= when < self.end

    def __str__(self) -> str:
        return self.label


def _first_of_month(first: datetime, months: int) -> datetime:
    """The first of the month that is *months* after the month of *first*."""
    index = first.year * 12 + first.month - 1 + months
    return first.replace(year=index // 12, month=index % 12 + 1)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or the month's last day where it is shorter.

    >>> months_later(date(2026, 11, 30), 3), months_later(date(2027, 11, 30), 3)
    (datetime.date(2027, 2, 28), datetime.date(2028, 2, 29))
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
