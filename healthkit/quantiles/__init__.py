"""Percentiles: exact from samples, or merged from the rollup, and refused where there are too few values.

A p95 needs 20 values, a p99 100: below that it would lie beyond the greatest value seen.
"""

from __future__ import annotations

from healthkit.quantiles.results import Percentile, Percentiles, needed
from healthkit.quantiles.rollups import merge
from healthkit.quantiles.samples import independent, percentiles

__all__ = ["Percentile", "Percentiles", "independent", "merge", "needed", "percentiles"]
