"""What people use to test for a trend or to find steps, each as they would call it."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

INTERVALS = ("OLS", "Newey-West")
"""Tests that give an interval of the slope as well."""


def tests() -> dict[str, Callable[[Floats], tuple[float, float, float]]]:
    """Name to function: one series with NaN to (p-value, lower, upper); NaN ends where it gives none."""
    known: dict[str, Callable[[Floats], tuple[float, float, float]]] = {"OLS": ols, "Newey-West": newey_west}
    if find_spec("pymannkendall"):
        known |= {"Mann-Kendall": mann_kendall, "Hamed-Rao": hamed_rao}
    return known


def skipped() -> list[str]:
    """Peers that are not installed here."""
    wanted = {"pymannkendall": "Mann-Kendall and Hamed-Rao (pymannkendall)", "ruptures": "PELT (ruptures)"}
    return [text for module, text in wanted.items() if not find_spec(module)]


def ols(values: Floats) -> tuple[float, float, float]:
    """Ordinary least squares, statsmodels."""
    return _line(values)


def newey_west(values: Floats) -> tuple[float, float, float]:
    """OLS with HAC errors of the textbook's lag, 4 (n / 100)^(2/9)."""
    lags = int(4 * (np.isfinite(values).sum() / 100) ** (2 / 9))
    return _line(values, cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True)


def _line(values: Floats, **options: object) -> tuple[float, float, float]:
    import statsmodels.api as sm

    at = np.flatnonzero(np.isfinite(values))
    fitted = sm.OLS(values[at], sm.add_constant(at.astype(float))).fit(**options)
    lower, upper = fitted.conf_int()[1]
    return float(fitted.pvalues[1]), float(lower), float(upper)


def mann_kendall(values: Floats) -> tuple[float, float, float]:
    """The original test; pymannkendall leaves out what is missing."""
    import pymannkendall

    return float(pymannkendall.original_test(values).p), np.nan, np.nan


def hamed_rao(values: Floats) -> tuple[float, float, float]:
    """Mann-Kendall with the variance of Hamed and Rao (1998)."""
    import pymannkendall

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it takes the root of a variance below 0
        return float(pymannkendall.hamed_rao_modification_test(values).p), np.nan, np.nan


def pelt(values: Floats) -> list[int]:
    """PELT with the penalty its documentation suggests, 2 sd^2 log n, sd from the differences."""
    import ruptures

    rest = values[np.isfinite(values)]
    spread = np.median(np.abs(np.diff(rest))) / 0.6745 / np.sqrt(2)
    found = ruptures.Pelt(model="l2", min_size=5, jump=1).fit(rest).predict(pen=2 * spread**2 * np.log(len(rest)))
    return [int(at) for at in found[:-1]]
