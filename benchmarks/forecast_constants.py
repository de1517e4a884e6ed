"""Write trained constants as a Python module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from healthkit.forecasts import intervals, members

HEAD = '''"""Trained constants of the forecaster. Generated: ``python benchmarks/train_forecast.py`` writes this file.

PRIOR: log weight of each member before any evidence (`members.NAMES`). POWERS: how strongly the four kinds of backtest
error count (`combinations.evidence`). WIDTHS: powers of the interval's half-width below and above (`intervals.FEATURES`).
"""

from __future__ import annotations

import numpy as np

'''


def row(values: Sequence[float], names: Sequence[str]) -> str:
    """One number a line, named."""
    return "".join(f"            {value:.4f},  # {name}\n" for value, name in zip(values, names, strict=True))


def write(path: Path, prior: Sequence[float], powers: Sequence[float], widths: dict[int, np.ndarray]) -> None:
    """Write the constants to *path*."""
    kinds = ("all", "newest origins", "far steps", "near steps")
    text = HEAD + "PRIOR = np.array(\n    [\n" + row(prior, members.NAMES) + "    ]\n)\n"
    text += "POWERS = np.array(\n    [\n" + row(powers, kinds) + "    ]\n)\nWIDTHS = {\n"
    for level, sides in widths.items():
        text += f"    {level}: np.array(\n        [\n"
        for side, name in zip(sides, ("below", "above"), strict=True):
            text += f"            [  # {name}\n" + row(side, intervals.FEATURES) + "            ],\n"
        text += "        ]\n    ),\n"
    path.write_text(text + "}\n", encoding="utf-8")
