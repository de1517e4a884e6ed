"""Forecasts of health metrics: many series at once, with intervals that hold, and when a limit is reached."""

from __future__ import annotations

from healthkit.forecasts.batches import ForecastBatch, forecast_many
from healthkit.forecasts.results import Backtest, Crossing, Forecast
from healthkit.forecasts.series import forecast

__all__ = ["Backtest", "Crossing", "Forecast", "ForecastBatch", "forecast", "forecast_many"]
