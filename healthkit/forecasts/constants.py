"""Trained constants of the forecaster. Generated: ``python benchmarks/train_forecast.py`` writes this file.

PRIOR: log weight of each member before any evidence (`members.NAMES`). POWERS: how strongly the four kinds of backtest
error count (`combinations.evidence`). WIDTHS: powers of the interval's half-width below and above (`intervals.FEATURES`).
"""

from __future__ import annotations

import numpy as np

PRIOR = np.array(
    [
        0.1317,  # naive
        1.0020,  # seasonal naive
        -0.7682,  # smoothed .3
        -0.6084,  # smoothed .1
        2.8791,  # mean
        -0.5444,  # recent mean
        -0.6890,  # drift
        -1.1145,  # drift half
        -1.0718,  # drift quarter
        -0.7977,  # drift quarter faded
        0.7172,  # drift twelfth faded
        0.2135,  # line
        -0.5757,  # line half
        -0.7863,  # line quarter faded
        -0.7896,  # theta
        1.8121,  # line without jumps
        -0.6273,  # quarter line without jumps
        1.2024,  # median slope
        -0.4786,  # median slope third
        0.9744,  # return to mean slow
        -0.8223,  # return to mean fast
        0.6340,  # own period
        1.4105,  # week of hours
        -1.3034,  # curve
    ]
)
POWERS = np.array(
    [
        -0.6248,  # all
        2.8116,  # newest origins
        2.6513,  # far steps
        5.7054,  # near steps
    ]
)
WIDTHS = {
    80: np.array(
        [
            [  # below
                2.5885,  # one
                0.1938,  # log step
                0.0022,  # log step squared
                0.1793,  # log span / step
                0.1838,  # error near
                0.5668,  # error far
                0.0009,  # error far x log step
                -0.1067,  # worst error
                0.2796,  # disagreement
                -0.0300,  # steps
                0.0674,  # largest steps that way
                0.2777,  # change that way
                0.3166,  # change the other way
                -0.1334,  # evidence reach
            ],
            [  # above
                0.2959,  # one
                0.1357,  # log step
                0.0680,  # log step squared
                -0.5098,  # log span / step
                -0.0050,  # error near
                0.1881,  # error far
                -0.1358,  # error far x log step
                -0.0733,  # worst error
                0.3261,  # disagreement
                -0.3542,  # steps
                0.4484,  # largest steps that way
                -0.0701,  # change that way
                -0.0527,  # change the other way
                -0.0663,  # evidence reach
            ],
        ]
    ),
    95: np.array(
        [
            [  # below
                1.5677,  # one
                0.1656,  # log step
                0.0928,  # log step squared
                -0.5613,  # log span / step
                0.2331,  # error near
                0.0597,  # error far
                -0.1699,  # error far x log step
                -0.1852,  # worst error
                0.2532,  # disagreement
                -0.3469,  # steps
                0.2292,  # largest steps that way
                -0.0192,  # change that way
                -0.0119,  # change the other way
                0.0319,  # evidence reach
            ],
            [  # above
                -0.4031,  # one
                0.2813,  # log step
                0.1633,  # log step squared
                -0.8476,  # log span / step
                0.2983,  # error near
                -0.5633,  # error far
                -0.2551,  # error far x log step
                -0.0032,  # worst error
                0.2438,  # disagreement
                -0.4507,  # steps
                0.3270,  # largest steps that way
                -0.2619,  # change that way
                -0.2416,  # change the other way
                -0.0389,  # evidence reach
            ],
        ]
    ),
}
