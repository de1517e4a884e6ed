"""What papermill finds under its entry point group `papermill.engine`.

papermill loads every engine while it is itself being imported. This one imports nothing of papermill, so that it can be
loaded then, whoever was imported first; the engine itself is imported when a notebook is run with it.
"""

from __future__ import annotations

from typing import Any


class Healthkit:
    """`papermill --engine healthkit`: runs the cells in papermill's own process."""

    @classmethod
    def execute_notebook(cls, *arguments: Any, **options: Any) -> Any:
        """As `papermill.engines.Engine.execute_notebook`."""
        from healthkit.reports.engines import InProcess

        return InProcess.execute_notebook(*arguments, **options)
