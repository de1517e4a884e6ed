"""Write trained constants as a Python module."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from healthkit.forecasts.combinations import Gate
    from healthkit.forecasts.crossings import Reaching
    from healthkit.forecasts.intervals import Network

HEAD = '''"""Trained constants of the forecaster. Generated: ``python benchmarks/train_forecast.py`` writes this file.

GATE: log weight of each member before any evidence (`members.NAMES`) and how strongly the four kinds of backtest error
count (`combinations.evidence`); the first row is for every series, the others change it with its `combinations.context`.
WIDTHS: the network of `intervals.Network`, rows in the order of `scenes.FEATURES`. REACHING: the chance that a limit is
reached (`crossings.Reaching`), powers in the order of `crossings.facts`.
"""

from __future__ import annotations

import numpy as np

from healthkit.forecasts.combinations import Gate
from healthkit.forecasts.crossings import Reaching
from healthkit.forecasts.intervals import Network

'''


def table(values: np.ndarray) -> str:
    """*values* as a NumPy array, four digits each, every row on lines of its own."""
    if values.ndim == 1:
        rows = [", ".join(f"{float(f'{value:.4g}')!r}" for value in values)]
    else:
        rows = ["[" + ", ".join(f"{float(f'{value:.4g}')!r}" for value in row) + "]," for row in values]
    lines = [line for row in rows for line in textwrap.wrap(row, 112, break_long_words=False)]
    return "np.array([\n        " + "\n        ".join(lines) + "\n    ])"


def write(path: Path, gate: Gate, widths: Network, reaching: Reaching) -> None:
    """Write the constants to *path*."""
    parts = ("centre", "spread", "hidden", "offset", "out", "direct", "base")
    network = "".join(f"    {name}={table(getattr(widths, name))},\n" for name in parts)
    told = f"median={reaching.median}, early={reaching.early}, late={reaching.late}"
    text = (
        f"{HEAD}# fmt: off\nGATE = Gate(\n    prior={table(gate.prior)},\n    powers={table(gate.powers)},\n)\n"
        f"WIDTHS = Network(\n    levels={widths.levels},\n{network})\n"
        f"REACHING = Reaching(\n    powers={table(reaching.powers)},\n    {told},\n)\n"
    )
    path.write_text(text, encoding="utf-8")
