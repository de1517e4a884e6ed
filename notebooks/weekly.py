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
# # Weekly report

# %% tags=["parameters"]
home = ""  # directory with metrics and configuration; empty: $HEALTHKIT_HOME
period = ""  # ISO week such as 2026-W47; empty: the newest ended week with samples
hosts = ""  # host names, comma between them; empty: all
now = ""  # time of the review such as 2026-11-23T02:00Z; empty: the clock

# %%
import healthkit as hk
from healthkit import sections

week = hk.review(home, "weekly", period=period, hosts=hosts, now=now)
sections.verdict(week)

# %% [markdown]
# ## What changed
# Against the week before, and only where the difference is more than noise.

# %%
sections.changes(week)

# %% [markdown]
# ## What needs a hand
# Worst first. Healthy hosts are folded away.

# %%
sections.attention(week)

# %% [markdown]
# ## Days until full
# When each resource reaches its limit if it goes on as it did. The interval is meant to hold four times out of five.

# %%
sections.capacity(week)

# %% [markdown]
# ## Availability of services
# From the probes' answers; time without probes counts as unknown, not as up.

# %%
sections.availability(week)

# %% [markdown]
# ## Resources
# 95th percentile of the week, merged from the daily quantiles, beside the course of the last days.

# %%
sections.resources(week)

# %% [markdown]
# ## Rhythm
# Hour by hour, the mean of the busiest hosts: when maintenance hurts least.

# %%
sections.hours(week)

# %% [markdown]
# ## Performance
# Score, CPU, memory and responses of the week: averages, 95th percentiles and peaks.

# %%
sections.performance(week)

# %% [markdown]
# ## Security
# The weekly review, and what changed since the one before.

# %%
sections.security(week)

# %% [markdown]
# ## Backups
# How old, whether every byte was read, and whether one was restored.

# %%
sections.backups(week)

# %% [markdown]
# ## Recommendations
# Each with the number that it follows from.

# %%
sections.recommendations(week)

# %% [markdown]
# ## What was done
# Procedures and incidents on record.

# %%
sections.maintenance(week)

# %% [markdown]
# ## Findings, with evidence
# What was seen, and what to do about it.

# %%
sections.evidence(week)

# %% [markdown]
# ## How earlier forecasts turned out

# %%
sections.record(week)

# %% [markdown]
# ## What was measured, and what could not be told

# %%
sections.coverage(week)

# %% [markdown]
# ## Where these numbers come from

# %%
sections.provenance(week)
