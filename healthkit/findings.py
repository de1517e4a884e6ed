"""What a check says: findings, ordered by severity.

`UNKNOWN` means asked and could not tell. It is never OK and never hidden; of a required check it ranks above a
warning, because a blind spot there may hide anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import pandas as pd


class Severity(Enum):
    """How bad; the value is the word that reports and JSON use."""

    OK = "ok"
    INFO = "info"
    UNKNOWN = "unknown"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def exit_code(self) -> int:
        """0 ok or info, 1 warning, 2 critical, 3 unknown (the Nagios plug-in contract)."""
        return {"warning": 1, "critical": 2, "unknown": 3}.get(self.value, 0)

    @property
    def glyph(self) -> str:
        """One character, so that colour is never the only sign."""
        return {"ok": "✓", "info": "i", "unknown": "?", "warning": "▲", "critical": "✖"}[self.value]


_RANK = {severity: rank * 2 for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of one check about one subject."""

    check: str
    """Name of the check: the module's name in `healthkit.checks`."""
    severity: Severity
    subject: str
    """What it is about: a mount, a service, a file, or the host."""
    message: str
    """One sentence with the number in it."""
    value: float | None = None
    """The number that was judged; None where there is none or it could not be told."""
    unit: str = ""
    """Unit of `value`."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What was seen: JSON-able, enough for a reader to judge for themselves."""
    hint: str = ""
    """What to do about it."""
    ts: datetime | None = None
    """When the evidence was measured, UTC; None for the time of the check."""
    host: str = ""
    required: bool = False
    """Whether not knowing this is itself a reason to act."""
    label: str = ""
    """A word kept from elsewhere, such as the runbook's `high`."""

    @property
    def rank(self) -> int:
        """Larger is worse: critical, unknown of a required check, warning, unknown, info, ok."""
        rank = _RANK[self.severity]
        return _RANK[Severity.WARNING] + 1 if self.required and self.severity is Severity.UNKNOWN else rank

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the contract."""
        return {
            "check": self.check,
            "severity": self.severity.value,
            "subject": self.subject,
            "message": self.message,
            "value": self.value,
            "unit": self.unit,
            "evidence": dict(self.evidence),
            "hint": self.hint,
            "ts": self.ts.isoformat() if self.ts else None,
            "host": self.host,
            "required": self.required,
            "label": self.label,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """The finding that `as_dict` described; keys that it does not know, and those that lack, are left out.

        >>> finding = Finding("swap", Severity.WARNING, "web-1", "swap is 60 % full", value=0.6)
        >>> Finding.from_dict(finding.as_dict()) == finding
        True
        """
        known = {name: values[name] for name in cls.__slots__ if name in values}
        at = values.get("ts")
        return cls(
            **known | {"severity": Severity(values["severity"]), "ts": datetime.fromisoformat(at) if at else None}
        )

    def __str__(self) -> str:
        return f"{self.severity.glyph} {self.severity.value}: {self.subject}: {self.message}"


class Findings(Sequence[Finding]):
    """Findings in order: worst first, then by check, host and subject."""

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self._items = tuple(
            sorted(findings, key=lambda f: (-f.rank, f.check, f.host, f.subject, f.message, not f.required, f.label))
        )

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Findings: ...
    def __getitem__(self, index: int | slice) -> Finding | Findings:
        return Findings(self._items[index]) if isinstance(index, slice) else self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Findings) and self._items == other._items

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Findings({len(self)}, worst={self.worst.value if self else 'none'})"

    @property
    def worst(self) -> Severity:
        """Severity of the worst finding.

        Nothing was asked of an empty list, so nothing is known: UNKNOWN, not OK.
        """
        return self._items[0].severity if self._items else Severity.UNKNOWN

    def of(self, *severities: Severity) -> Findings:
        """Those of the given severities."""
        return Findings(f for f in self._items if f.severity in severities)

    def to_frame(self) -> pd.DataFrame:
        """One row a finding, columns as in the JSON of the contract."""
        import pandas as pd

        columns = list(Finding("", Severity.OK, "", "").as_dict())
        return pd.DataFrame([f.as_dict() for f in self._items], columns=columns)
