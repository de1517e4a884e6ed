"""The score as data: components, deductions, and the JSON of the contract."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.findings import Findings

State = Literal["healthy", "attention", "critical", "unknown"]


@dataclass(frozen=True, slots=True)
class Deduction:
    """Points lost, and to what."""

    check: str
    """Name of the check."""
    subject: str
    """What it is about."""
    reason: str
    """The finding's sentence."""
    value: float | None
    """What was measured, in the unit of the finding; None where nothing could be."""
    threshold: float | None
    """What it was judged by."""
    points: float
    """Lost, of the overall 100."""
    source: str
    """Where the value comes from."""
    age: float | None
    """Seconds from the measurement to the newest one of the run; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the score."""

    name: str
    """A field of `config.Weights`, or `caps`."""
    score: float | None
    """0 to 100, of this component alone; None where there is nothing to look at."""
    weight: float
    """Overall points that it holds after those without anything to look at dropped out; all weights add up to 100."""
    coverage: float | None
    """Share of it that could be told; None where there is nothing to look at."""
    deductions: tuple[Deduction, ...]
    """What was lost, most first."""


@dataclass(frozen=True, slots=True)
class HealthScore:
    """How well it stands, at least."""

    value: float
    """0 to 100, a lower bound: what could not be told counts 0."""
    coverage: float
    """Share of what was asked that could be told, 0 to 1."""
    state: State
    """`unknown` below a coverage of 0.8, whatever the score."""
    components: tuple[Component, ...]
    """In the order of `config.Weights`, and `caps` at last."""
    findings: Findings
    """What was judged."""
    timestamp: datetime | None
    """Of the newest finding, UTC."""
    host: str
    """Which host; several are joined by a comma."""
    name: str = "Health"
    """What it is a score of."""

    @property
    def deductions(self) -> tuple[Deduction, ...]:
        """Every lost point, most first; they add up to 100 - value."""
        lines = [line for component in self.components for line in component.deductions]
        return tuple(sorted(lines, key=lambda line: (-line.points, line.check, line.subject)))

    @property
    def unit(self) -> str:
        """Of `value`."""
        return "points"

    @property
    def n(self) -> int:
        """Findings judged."""
        return len(self.findings)

    @property
    def method(self) -> str:
        """How it comes about."""
        return (
            "weighted components, less what findings cost; what could not be told counts 0; capped by what is critical"
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw every component's score on a matplotlib Axes, or on a figure of its own."""
        from healthkit.plots import dots

        asked = [component for component in self.components if component.score is not None]
        points = [(component.score or 0.0, math.nan, math.nan) for component in asked]
        heads = [component.name.replace("_", " ") for component in asked]
        return dots(heads, {"score": points}, title=f"Health {self.value:g} of 100", unit="", ax=ax)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        rows = [
            (
                component.name.replace("_", " "),
                "not asked" if component.score is None else f"{component.score:g}",
                f"{component.weight:g}",
                "; ".join(f"{line.points:g}: {line.reason}" for line in component.deductions[:3]),
            )
            for component in self.components
        ]
        return bundle("score", str(self), self.as_dict(), columns=("Part", "Score", "Weight", "Lost"), rows=rows)

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the contract."""
        return {
            "overall_score": self.value,
            "timestamp": self.timestamp.isoformat() if self.timestamp else None,
            "host": self.host,
            "coverage": self.coverage,
            "state": self.state,
            "components": [asdict(component) | {"deductions": _dicts(component)} for component in self.components],
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a deduction: component, check, subject, reason, value, threshold, points, source, age."""
        import pandas as pd

        rows = [{"component": c.name} | line for c in self.components for line in _dicts(c)]
        return pd.DataFrame(rows, columns=["component", *Deduction.__dataclass_fields__])

    def __str__(self) -> str:
        told = f"{self.coverage:.0%} of what was asked could be told"
        lines = self.deductions[:3]
        lost = ", ".join(f"{line.check} {line.points:g}" for line in lines) if lines else "nothing"
        return f"{self.name} {self.value:g} of 100 ({self.state}); {told}; most lost to {lost}."


def _dicts(component: Component) -> list[dict[str, Any]]:
    return [asdict(line) for line in component.deductions]
