"""What papermill finds under its entry point group `papermill.engine`.

papermill loads every engine while it is itself being imported. This one imports nothing of papermill, so that it can be
loaded then, whoever was imported first; the engine itself is imported when a notebook is run with it.
"""

from __future__ import annotations

from typing import Any


class Healthkit:
    """`papermill --engine healthkit`: runs the cells in papermill's own process."""

    def __getattr__(self, name: str) -> Any:
        from healthkit.reports.engines import InProcess

        return getattr(InProcess, name)


engine = Healthkit()
