"""The health score: 0 to 100, a lower bound, with its coverage and every lost point as a line.

Every check belongs to a component and has a weight in it; its worst subject decides. A warning loses half of the
check's points, a critical finding all of them, and so does an unknown: the score is what can be promised, not what may
be hoped. Checks and components with nothing to look at drop out, their points go to the others. Caps hold on top of
that; an unknown answer holds the lowest cap that its check could have set, so that not looking never pays.
docs/score.md tells the whole of it.
"""

from __future__ import annotations

from healthkit.scores.results import Component, Deduction, HealthScore
from healthkit.scores.weighing import Scale, health_score, weigh

__all__ = ["Component", "Deduction", "HealthScore", "Scale", "health_score", "weigh"]
