"""What people forecast with today, behind one signature: (history, horizon, season) -> paths.

Each peer takes one history without NaN and returns (5, horizon): mean, lower 80, upper 80, lower 95, upper 95.
Optional ones are skipped by name when their package is absent.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Peer = Callable[[Floats, int, int], Floats]
Z80, Z95 = 1.2815515655446004, 1.959963984540054


def normal(mean: Floats, sd: Floats) -> Floats:
    """Paths of a normal distribution."""
    return np.stack([mean, mean - Z80 * sd, mean + Z80 * sd, mean - Z95 * sd, mean + Z95 * sd])


def naive(y: Floats, h: int, season: int) -> Floats:  # noqa: ARG001 - one signature for all peers
    """The last value; a random walk's interval."""
    return normal(np.full(h, y[-1]), np.std(np.diff(y)) * np.sqrt(np.arange(1, h + 1)))


def seasonal_naive(y: Floats, h: int, season: int) -> Floats:
    """The last season again."""
    steps = np.arange(h)
    sd = np.std(y[season:] - y[:-season]) * np.sqrt(steps // season + 1)
    return normal(y[len(y) - season + steps % season], sd)


def ols(y: Floats, h: int, season: int) -> Floats:  # noqa: ARG001
    """The straight line, with its textbook prediction interval."""
    n, x = len(y), np.arange(len(y))
    slope, level = np.polyfit(x, y, 1)
    ahead = np.arange(n, n + h)
    sd = np.sqrt(np.sum((y - level - slope * x) ** 2) / (n - 2))
    return normal(
        level + slope * ahead, sd * np.sqrt(1 + 1 / n + (ahead - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    )


def runbook(y: Floats, h: int, season: int) -> Floats:  # noqa: ARG001
    """The runbook's way: mean of the last 30 days minus mean of the first 30, over a constant 60."""
    slope = (y[-30:].mean() - y[:30].mean()) / 60
    mean = y[-1] + slope * np.arange(1, h + 1)
    return np.stack([mean] * 5)


def statsmodels_theta(y: Floats, h: int, season: int) -> Floats:
    """Statsmodels' ThetaModel, deseasonalised when its test says so."""
    from statsmodels.tsa.forecasting.theta import ThetaModel

    fit = ThetaModel(y, period=max(season, 1), deseasonalize=season > 1, method="additive").fit()
    eighty, most = (np.asarray(fit.prediction_intervals(h, alpha=alpha)) for alpha in (0.2, 0.05))
    return np.stack([np.asarray(fit.forecast(h)), eighty[:, 0], eighty[:, 1], most[:, 0], most[:, 1]])


def statsmodels_ets(y: Floats, h: int, season: int) -> Floats:
    """Statsmodels' ETS(A,Ad,A)."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    kind = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
    fit = ETSModel(y, error="add", trend="add", damped_trend=True, **kind).fit(disp=False)
    ahead = fit.get_prediction(start=len(y), end=len(y) + h - 1)
    eighty, most = (np.asarray(ahead.pred_int(alpha=alpha)) for alpha in (0.2, 0.05))
    return np.stack([np.asarray(ahead.predicted_mean), eighty[:, 0], eighty[:, 1], most[:, 0], most[:, 1]])


def statsforecast(model: str) -> Peer:
    """A model of Nixtla's statsforecast."""

    def peer(y: Floats, h: int, season: int) -> Floats:
        from statsforecast import models

        out = getattr(models, model)(season_length=max(season, 1)).forecast(y, h, level=[80, 95])
        return np.stack([out["mean"], out["lo-80"], out["hi-80"], out["lo-95"], out["hi-95"]])

    return peer


def prophet(y: Floats, h: int, season: int) -> Floats:
    """Meta's Prophet with its defaults."""
    import pandas as pd
    from prophet import Prophet

    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    logging.getLogger("prophet").setLevel(logging.ERROR)
    freq = {24: "h", 7: "D"}.get(season, "W")
    ds = pd.date_range("2025-01-01", periods=len(y) + h, freq=freq)
    paths = []
    for width in (0.8, 0.95):
        model = Prophet(interval_width=width, uncertainty_samples=300)
        model.fit(pd.DataFrame({"ds": ds[: len(y)], "y": y}), seed=1)
        out = model.predict(pd.DataFrame({"ds": ds[len(y) :]}))
        paths += [out["yhat_lower"].to_numpy(), out["yhat_upper"].to_numpy()]
    return np.stack([out["yhat"].to_numpy(), *paths])


def peers() -> dict[str, Peer]:
    """Every peer whose package is here, by the name used in the tables."""
    found: dict[str, Peer] = {
        "Naive": naive,
        "SeasonalNaive": seasonal_naive,
        "OLS line": ols,
        "runbook": runbook,
        "statsmodels Theta": statsmodels_theta,
        "statsmodels ETS": statsmodels_ets,
    }
    if importlib.util.find_spec("statsforecast"):
        found |= {name: statsforecast(name) for name in ("AutoTheta", "DynamicOptimizedTheta", "AutoETS")}
    if importlib.util.find_spec("prophet"):
        found["Prophet"] = prophet
    return found


def forecast_window(peer: Peer, y: Floats, h: int, season: int) -> Floats:
    """*peer* on one window; gaps are interpolated, and a peer that fails falls back to Naive, as its users would."""
    good = np.isfinite(y)
    filled = np.interp(np.arange(len(y)), np.flatnonzero(good), y[good])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            out = np.asarray(peer(filled, h, season), dtype=float)
        except (
            ValueError,
            np.linalg.LinAlgError,
            ZeroDivisionError,
            RuntimeError,
            IndexError,
            AttributeError,
            NotImplementedError,
        ):
            return naive(filled, h, season)
    return out if np.isfinite(out).all() else naive(filled, h, season)
