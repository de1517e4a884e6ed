"""Percentiles of many days from each day's 21 quantiles: the merge of the rollup's grids.

A grid says where 0, 5, ... 100 % of a day's values lie. The days' distributions, weighted by how many values each day
has, add up to the distribution of the period, and that is inverted. The mean of daily p95s is not the p95 of the period:
it is off by tens of rank points when one day is busier than the others.

Between two points of a grid values are taken as evenly spread, but for values that many samples share (zeros), which
take half of the bins beside them, and for rounded ones, which the result is one of; in the outermost 5 % as a
generalised Pareto tail through the 90 %, the 95 % point and the extreme, so that a p99 is not pulled towards one spike.
Where a day is one value but for rare events (drops, blocked processes), its mean tells how many they were.
"""

from __future__ import annotations

from healthkit.grids.merging import merge_grids

__all__ = ["merge_grids"]
