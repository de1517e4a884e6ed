"""A world to check: samples, daily statistics, a file tree, and a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from healthkit.checks import check
from healthkit.config import Config

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
HOST = "web-1"


def sampled(metric, values, device="", *, end=NOW, every=60, host=HOST):
    """Samples at a fixed interval, the last of them at *end*."""
    values = list(values)
    ts = [end - timedelta(seconds=every * (len(values) - 1 - i)) for i in range(len(values))]
    return pd.DataFrame(
        {
            "ts": pd.Series(pd.to_datetime(ts, utc=True)).astype("datetime64[ms, UTC]"),
            "host": host,
            "metric": metric,
            "device": device,
            "value": np.asarray(values, dtype=float),
        }
    )


def daily(metric, values, device="", *, end=NOW, host=HOST):
    """One day of statistics a value, the last of them yesterday: constant within the day."""
    values = list(values)
    today = datetime(end.year, end.month, end.day, tzinfo=UTC)
    date = [today - timedelta(days=len(values) - i) for i in range(len(values))]
    return pd.DataFrame(
        {
            "date": pd.Series(pd.to_datetime(date, utc=True)).astype("datetime64[ms, UTC]"),
            "host": host,
            "metric": metric,
            "device": device,
            "n": 1440,
            "coverage": 1.0,
            "min": values,
            "max": values,
            "mean": values,
            "last": values,
            "q": [[value] * 21 for value in values],
        }
    )


NOTHING = sampled("nothing", [])
NO_DAYS = daily("nothing", [])


@pytest.fixture
def ask(tmp_path):
    """Ask one check: `ask("cpu", sampled(...), ...)`."""

    def ask(name, *samples, history=(), now=NOW, root=None, deadline=8, host=None, home=None, **config):
        return check(
            home or tmp_path / "home",
            config=Config(host=HOST, **config),
            names=[name],
            now=now,
            samples=pd.concat([NOTHING, *samples]) if samples else NOTHING,
            history=pd.concat([NO_DAYS, *history]) if history else NO_DAYS,
            root=str(root or tmp_path / "root"),
            deadline=deadline,
            host=host,
        )

    return ask


@pytest.fixture
def worlds():
    """The builders, for tests to import by name."""
    return type("worlds", (), {"sampled": staticmethod(sampled), "daily": staticmethod(daily), "NOW": NOW})
