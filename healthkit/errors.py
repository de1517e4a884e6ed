"""Every error healthkit raises on purpose.

    HealthkitError
    ├── ConfigError          configuration: names key, file and line            exit 78
    ├── ParameterError       a parameter or option is unknown or has a bad value exit 64
    ├── NotEnoughData        too few values to say anything: names n and needed
    ├── BadSeries            the series cannot be analysed: naive times, text, ...
    ├── ProcedureError       a step of a procedure cannot be taken: carries severity and hint
    ├── StoreError           a file of the store is damaged, locked or cannot be written
    ├── SourceError          what should be imported cannot be read or understood: names file, line and value
    ├── ReportError          a report could not be made: names the failing cell
    └── DeliveryError        mail or alert could not be delivered                exit 75 when queued

Each carries its numbers as attributes, so that a caller need not parse the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from healthkit.findings import Severity


class HealthkitError(Exception):
    """Base of all. `exit_code` is what the command line returns for it."""

    exit_code = 1


class ConfigError(HealthkitError):
    """The configuration cannot be used.

    Args:
        message: What is wrong, naming the key.
        file: Path of the file, if it came from one.
        line: 1-based line, if known.
    """

    exit_code = 78

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        self.file = file
        self.line = line
        where = f"{file}:{line}: " if line else f"{file}: " if file else ""
        super().__init__(where + message)


class ParameterError(HealthkitError):
    """A parameter or option is unknown or has a value it cannot have."""

    exit_code = 64


class NotEnoughData(HealthkitError):  # noqa: N818 - reads as the sentence it is
    """Too few values to say anything.

    Args:
        n: Values there are.
        needed: Values it takes.
        what: What was asked for, and of what ("forecast of disk_used_ratio /var").
    """

    def __init__(self, *, n: int, needed: int, what: str = "") -> None:
        self.n = n
        self.needed = needed
        self.what = what
        values = "value" if n == 1 else "values"
        super().__init__(f"{what + ': ' if what else ''}{n} {values}, needs at least {needed}")


class BadSeries(HealthkitError, ValueError):  # noqa: N818
    """The input is not a series of numbers over aware, distinct, ordered times."""


class StoreError(HealthkitError):
    """A file of the store is damaged, locked or cannot be written."""


class SourceError(HealthkitError):
    """What should be imported cannot be read or understood.

    Args:
        message: What is wrong, with the value.
        source: File or address.
        line: 1-based line, if it has lines.
    """

    def __init__(self, message: str, *, source: str = "", line: int = 0) -> None:
        self.source = source
        self.line = line
        where = f"{source}:{line}: " if line else f"{source}: " if source else ""
        super().__init__(where + message)


class ProcedureError(HealthkitError):
    """A step of a procedure cannot be taken, and those after it neither.

    Args:
        message: Why.
        severity: Of the finding that tells of it; None for critical. Unknown: it could not be told.
        hint: What to do about it.
    """

    def __init__(self, message: str, *, severity: Severity | None = None, hint: str = "") -> None:
        self.severity = severity
        self.hint = hint
        super().__init__(message)


class ReportError(HealthkitError):
    """A report could not be made.

    Args:
        message: The reason.
        notebook: Path of the notebook as executed up to the failing cell.
    """

    def __init__(self, message: str, *, notebook: str = "") -> None:
        self.notebook = notebook
        super().__init__(message)


class DeliveryError(HealthkitError):
    """Mail or an alert could not be handed over; `exit_code` says that it was kept for another try."""

    exit_code = 75
