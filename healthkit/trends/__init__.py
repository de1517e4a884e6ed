"""Whether a series rises or falls, how fast, and whether it stepped instead.

`trend` for one pandas Series (per day), `trend_many` for an array of series at once (per step).
"""

from __future__ import annotations

from healthkit.trends.batches import trend_many
from healthkit.trends.results import Shift, Trend, TrendBatch
from healthkit.trends.series import trend

__all__ = ["Shift", "Trend", "TrendBatch", "trend", "trend_many"]
