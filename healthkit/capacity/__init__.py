"""Capacity: when each resource of a fleet reaches its limit, how much room is left, and how much more it takes."""

from __future__ import annotations

from healthkit.capacity.approaches import approaches, tells
from healthkit.capacity.plans import capacity
from healthkit.capacity.results import Capacity
from healthkit.capacity.rows import CapacityRow

__all__ = ["Capacity", "CapacityRow", "approaches", "capacity", "tells"]
