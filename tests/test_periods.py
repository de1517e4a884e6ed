from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthkit.errors import ParameterError
from healthkit.periods import CADENCES, Period

moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("label", "start", "days"),
    [
        ("2026-W47", "2026-11-16", 7),
        ("2026-W01", "2025-12-29", 7),
        ("2026-W53", "2026-12-28", 7),
        ("2026-02", "2026-02-01", 28),
        ("2028-02", "2028-02-01", 29),
        ("2026-12", "2026-12-01", 31),
        ("2026-Q4", "2026-10-01", 92),
        ("2026-11-23", "2026-11-23", 1),
    ],
)
def test_known_periods(label, start, days):
    period = Period.parse(label)
    assert period.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert period.days == days
    assert str(period) == label


def test_a_week_at_new_year_stays_one_week_d28():
    """D28: `%Y-W%U` calls one week W52 and W00; ISO 8601 does not."""
    labels = {Period.of("weekly", datetime(2026, 12, 28, tzinfo=UTC) + timedelta(days=k)).label for k in range(7)}
    assert labels == {"2026-W53"}


@given(moments, st.sampled_from(CADENCES))
def test_periods_tile_time(when, cadence):
    period = Period.of(cadence, when)
    assert when in period
    assert Period.parse(period.label) == period
    assert period.next().start == period.end
    assert period.previous().end == period.start
    assert period.next().previous() == period


@given(st.dates(date(1971, 1, 1), date(2099, 1, 1)))
def test_iso_weeks_agree_with_the_calendar_of_the_standard_library(day):
    year, week, _ = day.isocalendar()
    assert Period.of("weekly", datetime(day.year, day.month, day.day, tzinfo=UTC)).label == f"{year}-W{week:02d}"


def test_other_zones_are_converted():
    berlin = timezone(timedelta(hours=1))
    assert Period.of("daily", datetime(2026, 3, 1, 0, 30, tzinfo=berlin)).label == "2026-02-28"


@pytest.mark.parametrize(
    "label", ["", "2026", "2026-W54", "2025-W53", "2026-13", "2026-Q5", "2026-02-30", "week 47", "٢٠٢٦-W47"]
)
def test_no_such_period(label):
    with pytest.raises(ParameterError, match="period"):
        Period.parse(label)


def test_naive_time_is_refused():
    with pytest.raises(ParameterError, match="time zone"):
        Period.of("daily", datetime(2026, 1, 1))  # noqa: DTZ001
