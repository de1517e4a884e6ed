"""Samples of a simulated fleet, and a home made of them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.config import config_path, load_config
from healthkit.demo.simulation import simulate_host
from healthkit.demo.truth import GROUP, DemoTruth, demo_truth
from healthkit.errors import ParameterError
from healthkit.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

_CONFIG = """\
# A demonstration, made by `healthkit demo`, which may write it again. Simulated hosts are marked in their samples.
demonstration: true
collect: {{every: {seconds:g}s}}
groups: {{{group}: [{hosts}]}}
"""


def demo_data(
    *,
    hosts: int = 5,
    days: int = 21,
    seed: int = 0,
    end: datetime | None = None,
    every: str | timedelta = "5min",
) -> pd.DataFrame:
    """Samples of a simulated fleet, as `healthkit.store.load(..., rates=False)` would return them.

    Args:
        hosts: How many; roles in the order of `ROLES`.
        days: How many.
        seed: Of the noise; the same arguments give the same samples.
        end: First moment without samples (aware); midnight UTC of today by default.
        every: Time between samples. Half a year of 20 hosts at 5 min is 85 million samples: take 1h for that.

    Returns:
        Columns ts, host, metric, device, value, sorted by host, metric, device, ts; counters as counters.

    Raises:
        ParameterError: An argument has a value it cannot have.
    """
    from healthkit.store.tables import union

    truth = demo_truth(hosts=hosts, days=days, end=end, every=every)
    return union(simulate_host(truth, host, seed) for host in truth.hosts)


def write_demo(
    home: str | os.PathLike[str],
    *,
    hosts: int = 5,
    days: int = 21,
    seed: int = 0,
    end: datetime | None = None,
    every: str | timedelta = "5min",
) -> DemoTruth:
    """Make *home* a home with a simulated fleet; a demo that is there already is replaced, other samples stay.

    Raises:
        ParameterError: The home has a configuration or samples that are not simulated.
        StoreError: It cannot be written.
    """
    from healthkit.store.writing import remove_simulated, write_samples

    truth = demo_truth(hosts=hosts, days=days, end=end, every=every)
    directory = Path(home)
    _refuse_real(directory)
    path = config_path(directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(
        path, _CONFIG.format(seconds=truth.every.total_seconds(), group=GROUP, hosts=", ".join(truth.hosts))
    )
    remove_simulated(directory)
    for host in truth.hosts:
        write_samples(directory, simulate_host(truth, host, seed), simulated=True)
    return truth


def _refuse_real(home: Path) -> None:
    if config_path(home).exists():
        if not load_config(home).demonstration:
            raise ParameterError(
                f"{home}: has a configuration that does not say demonstration: true; choose another directory"
            )
        return
    found = next((home / "metrics").glob("**/*.*"), None) if (home / "metrics").exists() else None
    if found:
        raise ParameterError(f"{home}: holds samples that are not simulated ({found.name}); choose another directory")
