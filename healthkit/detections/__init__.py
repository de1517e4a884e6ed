"""Anomalies of a series: spikes, shifts, flat lines, gaps and changes of variance, ranked; each says what was expected.

Rank, don't page: at a threshold that gives less than one false alarm a month, any simple detector misses much of what
people call an anomaly. Reports show the few worst.
"""

from __future__ import annotations

from healthkit.detections.batches import anomalies_many
from healthkit.detections.results import Anomalies, Anomaly
from healthkit.detections.series import anomalies

__all__ = ["Anomalies", "Anomaly", "anomalies", "anomalies_many"]
