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
# # Quarterly report

# %% tags=["parameters"]
home = ""  # directory with metrics and configuration; empty: $HEALTHKIT_HOME
period = ""  # quarter such as 2026-Q4; empty: the newest ended quarter with samples
hosts = ""  # host names, comma between them; empty: all
now = ""  # time of the review such as 2027-01-06T02:00Z; empty: the clock

# %%
import healthkit as hk
from healthkit import sections

quarter = hk.review(home, "quarterly", period=period, hosts=hosts, now=now)
sections.verdict(quarter)

# %% [markdown]
# ## What changed
# Against the quarter before, and only where the difference is more than noise.

# %%
sections.changes(quarter)

# %% [markdown]
# ## What needs a hand
# Worst first. Healthy hosts are folded away.

# %%
sections.attention(quarter)

# %% [markdown]
# ## Recovery drills
# Whether the service came back from its backup, somewhere else, and how long that took.

# %%
sections.drills(quarter)

# %% [markdown]
# ## Days until full
# When each resource reaches its limit if it goes on as it did. The interval is meant to hold four times out of five.

# %%
sections.capacity(quarter)

# %% [markdown]
# ## Capacity plan
# What to buy, and by when: the early end of the interval.

# %%
sections.plan(quarter)

# %% [markdown]
# ## Trends
# How the daily numbers of the quarter moved; what chance explains is counted, not shown.

# %%
sections.trends(quarter)

# %% [markdown]
# ## Architecture review
# The checklist, with what was measured beside each question. What has no sign-off is open.

# %%
sections.architecture(quarter)

# %% [markdown]
# ## Tasks that take people
# Due dates and sign-offs of what no program can do.

# %%
sections.checklists(quarter)

# %% [markdown]
# ## How fast the host is
# Medians of several rounds. A difference is named only where the rounds of both times do not overlap.

# %%
sections.benchmark(quarter)

# %% [markdown]
# ## The year
# Month by month, as far back as there are records.

# %%
sections.year(quarter)

# %% [markdown]
# ## Availability of services
# From the probes' answers; time without probes counts as unknown, not as up.

# %%
sections.availability(quarter)

# %% [markdown]
# ## Resources
# 95th percentile of the quarter, merged from the daily quantiles, beside the course of the last days.

# %%
sections.resources(quarter)

# %% [markdown]
# ## What was done
# Procedures and incidents on record.

# %%
sections.maintenance(quarter)

# %% [markdown]
# ## Findings, with evidence
# What was seen, and what to do about it.

# %%
sections.evidence(quarter)

# %% [markdown]
# ## How earlier forecasts turned out

# %%
sections.record(quarter)

# %% [markdown]
# ## What was measured, and what could not be told

# %%
sections.coverage(quarter)

# %% [markdown]
# ## Where these numbers come from

# %%
sections.provenance(quarter)
