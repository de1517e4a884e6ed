"""History that exists already, into the store: one file a source.

A source is a function that yields frames with the store's five columns; `bring_in` writes them through the store's one
writer. Importing twice is importing once: where the store knows a sample of the same moment, the new value takes its
place.
"""

from __future__ import annotations

from healthkit.imports.arrivals import Arrivals, bring_in

__all__ = ["Arrivals", "bring_in"]
