# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore
# A tour of the workbench: load samples, choose a series, ask it questions. It runs as it is, on a simulated fleet; give
# it your own home and the same cells answer about your hosts.

# %% tags=["parameters"]
home = ""  # directory with samples; empty, or without any: a simulated fleet is made in ./healthkit-explore
metric = "disk_used_ratio"  # what the middle part asks about
host = ""  # empty: the host of the simulated fleet whose disk fills
device = ""  # mount, network card, service ...; empty: the disk that fills

# %%
import healthkit as hk
from healthkit import demo, store

place = home if home and store.hosts(home) else "healthkit-explore"
made = None if store.hosts(place) else demo.write_demo(place, hosts=6, days=56, every="30min")

# %% [markdown]
# ## What is there

# %%
store.info(place)

# %% [markdown]
# ## Load
# Five columns, for every metric that there is: time, host, metric, device, value. Counters come as rates per second, and
# what was not measured is absent, not zero.

# %%
week = hk.load(place, metrics=["cpu_busy_ratio", "network_receive_bytes_total"])
week.tail()

# %% [markdown]
# ## The rollup
# One row for each host, metric and day: count, coverage, minimum, maximum, mean, last, and 21 quantiles. Long histories
# are read from here; a year of a fleet is a matter of milliseconds.

# %%
days = hk.load_rollup(place, metrics=[metric])
fullest = days.loc[days["last"].idxmax()]
host, device = host or fullest["host"], device or fullest["device"]
days[days["host"] == host].tail(3)

# %% [markdown]
# ## One series
# Regular, in UTC, with NaN where nothing was measured.

# %%
series = hk.select(days, metric, host=host, device=device)
series.describe()

# %% [markdown]
# ## Trend
# The slope per day with an interval, whether it is more than chance, and steps told from trends.

# %%
trend = hk.trend(series)
trend

# %%
axes = trend.plot()

# %% [markdown]
# ## Forecast
# Mean, intervals, the day a limit is reached, and the backtest it rests on. With too short a history it refuses, and says
# how much it takes.

# %%
forecast = hk.forecast(series, horizon="90D", limit=0.9)
forecast

# %%
axes = forecast.plot()

# %%
forecast.to_frame().tail(3)

# %% [markdown]
# ## Percentiles
# Exact from samples. One that so few values cannot support is refused, not extrapolated.

# %%
cpu = hk.select(week, "cpu_busy_ratio", host=host, every="30min")
hk.percentiles(cpu)

# %%
hk.percentiles(cpu, q=(50, 95), by="weekday")

# %% [markdown]
# ## Anomalies
# Ranked, each with what was expected. They are for reading, not for paging.

# %%
hk.anomalies(cpu)

# %% [markdown]
# ## Compare hosts
# The same percentile of every host, from the samples.

# %%
means = week[week["metric"] == "cpu_busy_ratio"].groupby("host", observed=True)["value"]
means.describe(percentiles=[0.5, 0.95]).sort_values("95%", ascending=False)

# %% [markdown]
# ## Findings and score
# What the checks say of one host, judged by its samples, and what that makes of 100.

# %%
findings = hk.check(place, host=str(host), now=hk.review(place).until)
findings.to_frame()[["severity", "subject", "message"]].head(8)

# %%
hk.health_score(findings)

# %% [markdown]
# ## Write a check
# A file in `HOME/checks` is a check: it is asked with the others, and counts in the score. It gives one finding for each
# thing that it judged, with the number and what to do.

# %%
from pathlib import Path

Path(place, "checks").mkdir(mode=0o755, exist_ok=True)

# %%
# %%writefile {place}/checks/room.py
"""Is there room for another database of 50 GiB?"""

from healthkit import Finding, Severity

LOCAL = False  # it judges samples alone, so it can speak of every host


def check(context):
    for mount, free in context.latest("disk_available_bytes").items():
        enough = free.value > 50 * 2**30
        severity = Severity.OK if enough else Severity.WARNING
        yield Finding("room", severity, mount, f"{free.value / 2**30:.0f} GiB are free", value=free.value, unit="bytes")


# %%
hk.check(place, names=["room"], host=str(host), now=hk.review(place).until).to_frame()[
    ["severity", "subject", "message"]
]

# %% [markdown]
# ## The same files with other tools
# The store is plain Parquet. DuckDB (`pip install duckdb`) reads it as it lies there; so does Polars, with
# `pl.scan_parquet(raw)`.

# %%
import duckdb

raw = f"{place}/metrics/raw/*/*.parquet"
samples = duckdb.read_parquet(raw)
busy = samples.filter("metric = 'cpu_busy_ratio'").aggregate("host, quantile_cont(value, 0.95) AS p95")
busy.order("p95 DESC").df()
