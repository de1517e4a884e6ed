"""`healthkit show trend|percentiles|forecast|anomalies METRIC`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


@click.command("show")
@click.argument("what", type=click.Choice(["trend", "percentiles", "forecast", "anomalies"]))
@click.argument("metric")
@options.home
@options.format_
@click.option("--host", help="Default: the only host, or this one.")
@click.option("--device", help="Mount, NIC, service ...; default: the only one, or the host as a whole.")
@click.option("--period", help="2026-11-23, 2026-W47, 2026-11 or 2026-Q4; default: everything.")
@click.option("--limit", help="Level that a forecast should not reach: 0.85, 85%, 200GiB.")
@click.option(
    "--horizon", type=options.DurationType(), default="180d", show_default=True, help="How far a forecast looks."
)
def command(
    *, what: str, metric: str, home: Path, format_: str, host: str | None, device: str | None, period: str | None,
    limit: str | None, horizon: float,
) -> None:  # fmt: skip
    """Analyse one metric of one host and say it in a sentence."""
    import healthkit as hk

    level = options.parse_quantity(limit) if limit is not None else None
    series = _series(home, metric, host=host, device=device, period=period, raw=what == "percentiles")
    result: Any
    if what == "forecast":
        result = hk.forecast(series, horizon=f"{horizon:.0f}s", limit=level)
    else:
        result = getattr(hk, what)(series)
    if format_ == "json":
        frame = result.to_frame().reset_index()
        output.write_json(result.as_dict() | {"sentence": str(result), "rows": frame.to_dict("records")})
    else:
        click.echo(str(result))


def _series(
    home: Path, metric: str, *, host: str | None, device: str | None, period: str | None, raw: bool
) -> pd.Series[float]:
    """The one series that is meant: daily means, or all samples where the exact values count."""
    from healthkit import store
    from healthkit.errors import ParameterError
    from healthkit.periods import Period

    span = Period.parse(period) if period else None
    load = store.load if raw else store.load_rollup
    data = load(home, period=span, metrics=[metric])
    if data.empty:
        known = ", ".join(store.metrics(home)) or "none"
        raise ParameterError(f"no samples of {metric}{f' in {period}' if period else ''}; metrics here: {known}")
    chosen = {}
    for column, value in (("host", host), ("device", device)):
        there = sorted(set(data[column].astype(str)))
        if value is None and len(there) > 1:
            raise ParameterError(
                f"{metric} has several {column}s: give --{column} one of {', '.join(map(repr, there))}"
            )
        if value is not None and value not in there:
            raise ParameterError(
                f"no samples of {metric} with {column} {value!r}; there are {', '.join(map(repr, there))}"
            )
        chosen[column] = value if value is not None else there[0]
        data = data[data[column] == chosen[column]]
    if raw:
        series: pd.Series[float] = data.set_index("ts")["value"].rename(metric)
        series.attrs["metric"] = metric
        return series
    return store.select(data, metric, host=chosen["host"], device=chosen["device"], every="1D")
