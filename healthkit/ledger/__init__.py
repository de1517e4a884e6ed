"""The forecast ledger: what was predicted, what came, and how well the intervals held.

Every report stores its forecasts in `health.db`; later ones look up what was measured on the days they were for. When
fewer (or more) values than promised lie inside the 80 % intervals, and by more than chance, the next intervals are made
wider (or narrower), and the report says so.
"""

from __future__ import annotations

from healthkit.ledger.calibration import coverage_interval, width_factor
from healthkit.ledger.predictions import HORIZONS, Prediction, pack, prediction, predictions, record, unpack
from healthkit.ledger.results import Ledger
from healthkit.ledger.scoring import score

__all__ = [
    "HORIZONS",
    "Ledger",
    "Prediction",
    "coverage_interval",
    "pack",
    "prediction",
    "predictions",
    "record",
    "score",
    "unpack",
    "width_factor",
]
