"""What a level shift is weighed against. Generated: ``python benchmarks/train_trend.py`` writes this file."""

from __future__ import annotations

import numpy as np

from healthkit.trends.odds import Odds

ODDS = Odds(
    phi=np.array([0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.97]),
    noise=np.array([1.61, 5.06, 3.63, 3.52, 3.9, 1.95, 2.29]),
    noise_beside=np.array([0.21, -0.06, 0.7, -1.48, -0.12, -0.34, -1.29]),
    white=-0.09,
    white_beside=-0.99,
    lines=np.array([0.0, 0.98, 0.69, -0.9, 0.96, -5.82, 0.88]),
    both=-1.66,
    steps=np.array([21.0, 30.0, 45.0, 60.0, 90.0, 180.0, 365.0]),
    passes=np.array([-0.37, 0.56, 0.47, 0.26, 0.0, 0.0, 1.0]),
)
