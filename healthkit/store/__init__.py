"""The one reader and writer of samples.

```
HOME/metrics/journal/<host>-<date>.csv            today, append-only            journal
HOME/metrics/raw/date=YYYY-MM-DD/<host>.parquet   samples of a day              raw, compaction
HOME/metrics/daily/month=YYYY-MM/<host>.parquet   statistics of every day       rollup
HOME/metrics/lock                                 held (flock) by every writer of Parquet
```

Names are loaded when first used: the resident collector imports `healthkit.store.journal`, and that must cost neither
pandas nor pyarrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healthkit.store.compaction import Compaction, compact
    from healthkit.store.inventory import Inventory, hosts, info, metrics
    from healthkit.store.loading import load, load_rollup
    from healthkit.store.parts import compact_parts
    from healthkit.store.repairs import repair
    from healthkit.store.retention import expire
    from healthkit.store.rollup import QUANTILES
    from healthkit.store.selection import select
    from healthkit.store.verification import verify
    from healthkit.store.writing import write_samples

_HOME_OF = {
    "QUANTILES": "rollup",
    "Compaction": "compaction",
    "Inventory": "inventory",
    "compact": "compaction",
    "compact_parts": "parts",
    "expire": "retention",
    "hosts": "inventory",
    "info": "inventory",
    "load": "loading",
    "load_rollup": "loading",
    "metrics": "inventory",
    "repair": "repairs",
    "select": "selection",
    "verify": "verification",
    "write_samples": "writing",
}

__all__ = [
    "QUANTILES",
    "Compaction",
    "Inventory",
    "compact",
    "compact_parts",
    "expire",
    "hosts",
    "info",
    "load",
    "load_rollup",
    "metrics",
    "repair",
    "select",
    "verify",
    "write_samples",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f"healthkit.store.{_HOME_OF[name]}"), name)
    msg = f"module 'healthkit.store' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
