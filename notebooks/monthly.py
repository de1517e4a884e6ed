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
# # Monthly report

# %% tags=["parameters"]
home = ""  # directory with metrics and configuration; empty: $HEALTHKIT_HOME
period = ""  # month such as 2026-11; empty: the newest ended month with samples
hosts = ""  # host names, comma between them; empty: all
now = ""  # time of the review such as 2026-12-04T02:00Z; empty: the clock

# %%
import healthkit as hk
from healthkit import sections

month = hk.review(home, "monthly", period=period, hosts=hosts, now=now)
sections.verdict(month)

# %% [markdown]
# ## What changed
# Against the month before, and only where the difference is more than noise.

# %%
sections.changes(month)

# %% [markdown]
# ## What needs a hand
# Worst first. Healthy hosts are folded away.

# %%
sections.attention(month)

# %% [markdown]
# ## Trends
# How the daily numbers of the month moved; what chance explains is counted, not shown.

# %%
sections.trends(month)

# %% [markdown]
# ## Percentiles
# Of the whole month, merged from the quantiles of its days.

# %%
sections.percentiles(month)

# %% [markdown]
# ## Days until full
# When each resource reaches its limit if it goes on as it did. The interval is meant to hold four times out of five.

# %%
sections.capacity(month)

# %% [markdown]
# ## Capacity plan
# What to buy, and by when: the early end of the interval.

# %%
sections.plan(month)

# %% [markdown]
# ## Security audit
# The score is a lower bound: what could not be told counts as lost.

# %%
sections.audit(month)

# %% [markdown]
# ## What could run better
# A recommendation stands beside the number it comes from.

# %%
sections.optimization(month)

# %% [markdown]
# ## Tasks that take people
# Due dates and sign-offs of what no program can do.

# %%
sections.checklists(month)

# %% [markdown]
# ## Availability of services
# From the probes' answers; time without probes counts as unknown, not as up.

# %%
sections.availability(month)

# %% [markdown]
# ## Resources
# 95th percentile of the month, merged from the daily quantiles, beside the course of the last days.

# %%
sections.resources(month)

# %% [markdown]
# ## Rhythm
# Hour by hour, the mean of the busiest hosts: when maintenance hurts least.

# %%
sections.hours(month)

# %% [markdown]
# ## What was done
# Procedures and incidents on record.

# %%
sections.maintenance(month)

# %% [markdown]
# ## Findings, with evidence
# What was seen, and what to do about it.

# %%
sections.evidence(month)

# %% [markdown]
# ## How earlier forecasts turned out

# %%
sections.record(month)

# %% [markdown]
# ## What was measured, and what could not be told

# %%
sections.coverage(month)

# %% [markdown]
# ## Where these numbers come from

# %%
sections.provenance(month)
