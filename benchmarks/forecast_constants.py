"""Write trained constants as a Python module."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

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
    """*values* as nested lists, four digits each."""
    return str(np.vectorize(lambda x: float(f"{x:.4g}"))(values).tolist()) if values.size else "[]"


def write(path: Path, gate: Gate, widths: Network, reaching: Reaching) -> None:
    """Write the constants to *path*."""
    parts = ("centre", "spread", "hidden", "offset", "out", "direct", "base")
    text = (
        HEAD
        + f"GATE = Gate(\n    prior=np.array({table(gate.prior)}),\n    powers=np.array({table(gate.powers)}),\n)\nWIDTHS = Network(\n    levels={widths.levels},\n"
    )
    text += "".join(f"    {name}=np.array({table(getattr(widths, name))}),\n" for name in parts)
    told = f"median={reaching.median}, early={reaching.early}, late={reaching.late}"
    text += f")\nREACHING = Reaching(powers=np.array({table(reaching.powers)}), {told})\n"
    path.write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(path)], check=True)
