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
@click.option(
    "--limit",
    help="Level that a forecast should not reach: 0.85, 85%, 200GiB; default: the configured one of what can run out.",
)
@click.option(
    "--horizon", type=options.DurationType(), default="180d", show_default=True, help="How far a forecast looks."
)
def command(
    *, what: str, metric: str, home: Path, format_: str, host: str | None, device: str | None, period: str | None,
    limit: str | None, horizon: float,
) -> None:  # fmt: skip
    """Analyse one metric of one host and say it in a sentence.

    Percentiles are those of every sample; all else looks at whole days. A forecast of what can run out is of the number that
    reports go by: a disk's maximum of each day, a processor's p95.
    """
    import healthkit as hk
    from healthkit.capacity.resources import RESOURCES
    from healthkit.config import load_config

    config, level = load_config(home), options.parse_quantity(limit) if limit is not None else None
    resource = next((r for r in RESOURCES if r.metric == metric), None) if what == "forecast" else None
    how = "samples" if what == "percentiles" else resource.how if resource else "mean"
    if resource and level is None:
        level = float(getattr(config.limits, resource.limit))
    series = _series(home, metric, host=host, here=config.host, device=device, period=period, how=how)
    result: Any
    if what == "forecast":
        result = hk.forecast(series, horizon=f"{horizon:.0f}s", limit=level)
    else:
        result = getattr(hk, what)(series)
    sentence = f"{result}; by the {how} of each day" if resource else str(result)
    if format_ == "json":
        frame = result.to_frame().reset_index()
        output.write_json(result.as_dict() | {"sentence": sentence, "of": how, "rows": frame.to_dict("records")})
    else:
        click.echo(sentence)
        table = result.table()
        if table.rows:
            click.echo()
            output.write_table(*table)


def _series(
    home: Path, metric: str, *, host: str | None, here: str, device: str | None, period: str | None, how: str
) -> pd.Series[float]:
    """The one series that is meant: a number of each whole day, or all samples where the exact values count."""
    from datetime import UTC, datetime

    import pandas as pd

    from healthkit import store
    from healthkit.errors import ParameterError
    from healthkit.periods import Period

    span = Period.parse(period) if period else None
    raw = how == "samples"
    load = store.load if raw else store.load_rollup
    data = load(home, period=span, metrics=[metric], hosts=[host or here])  # one of ten thousand, where it is there
    if data.empty:
        data = load(home, period=span, metrics=[metric])
    if data.empty:
        known = ", ".join(store.metrics(home)) or "none"
        raise ParameterError(f"no samples of {metric}{f' in {period}' if period else ''}; metrics here: {known}")
    chosen = {}
    for column, value, usual in (("host", host, here), ("device", device, "")):
        chosen[column] = _chosen(data, column, value, usual, metric)
        data = data[data[column] == chosen[column]]
    if raw:
        series: pd.Series[float] = data.set_index("ts")["value"].rename(metric)
        series.attrs["metric"] = metric
        return series
    whole = data[data["date"] < pd.Timestamp(datetime.now(UTC)).floor("1D")]
    return store.select(whole, metric, **chosen, every="1D", how=how)


def _chosen(data: pd.DataFrame, column: str, value: str | None, usual: str, metric: str) -> str:
    """*value*; where none is given the only one, or else the *usual* one."""
    from healthkit.errors import ParameterError

    there = sorted(set(data[column].astype(str)))
    names = ", ".join(map(repr, there))
    if value is None:
        if len(there) > 1 and usual not in there:
            raise ParameterError(f"{metric} has several {column}s: give --{column} one of {names}")
        return there[0] if len(there) == 1 else usual
    if value not in there:
        raise ParameterError(f"no samples of {metric} with {column} {value!r}; there are {names}")
    return value
