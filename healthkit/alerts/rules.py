"""Alert rules: `HOME/config/alerts.yaml`, strict and typed like the configuration; the runbook's four where it is absent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from healthkit.alerts.conditions import Condition, Value, parse_condition
from healthkit.config import Duration, line_of, parse_struct, read_text
from healthkit.errors import ConfigError

_NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"
_SLOT = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
AlertSeverity = Literal["info", "warning", "high", "critical"]
"""`high` is the runbook's word: it is kept, and ranks as critical."""


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"lasting": "for"}):
    """One rule of the file."""

    name: Annotated[str, Meta(pattern=_NAME)]
    condition: str
    """When it fires; see `conditions`."""
    severity: AlertSeverity = "warning"
    message: str = ""
    """`{{ value }}` is the first name's value, `{{ name }}` the rule's name; other names are those of conditions."""
    lasting: Duration = Duration(0)
    """`for`: how long the condition holds before it fires."""
    runs: Annotated[int, Meta(ge=1, le=100)] = 1
    """On how many measurements in a row it holds before it fires, and before it is over; one is enough where they are
    more than an hour apart."""
    at_once: str | None = None
    """A condition under which it neither waits for `for` nor for `runs`."""
    clear: str | None = None
    """When it is over; by default when the condition no longer holds. Between the two it stays as it is."""
    repeat: Duration = Duration(86400)
    """How long until it is told again while it goes on."""
    labels: dict[str, str] = {}

    def conditions(self) -> Mapping[str, Condition]:
        """The parsed conditions by key: `condition`, and `at_once` and `clear` where they are given.

        Raises:
            ConfigError: One of them may not be evaluated; names rule, key and column.
        """
        found = {}
        for key in ("condition", "at_once", "clear"):
            text = getattr(self, key)
            if text is not None:
                try:
                    found[key] = parse_condition(text)
                except ConfigError as error:
                    raise ConfigError(f"rule {self.name}: `{key}`: {error}") from error
        return found

    def say(self, values: Mapping[str, Value]) -> str:
        """The message with its slots filled; what is missing reads `unknown`. One line, printable."""
        first = self.conditions()["condition"].names[:1]
        known = {"name": self.name, "severity": self.severity, **{k: v for k, v in values.items() if k != "name"}}
        known |= {"value": values[name] for name in first if name in values}
        text = self.message or f"{self.name}: {self.condition}"
        filled = _SLOT.sub(lambda slot: _shown(known.get(slot[1])), text)
        return "".join(c if c.isprintable() else " " for c in filled)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    alerts: tuple[Rule, ...] = ()


def alerts_path(home: Path) -> Path:
    """Where the rules of a home lie."""
    return home / "config" / "alerts.yaml"


def load_rules(home: Path) -> tuple[Rule, ...]:
    """The rules of a home; the runbook's four where there is no file.

    Raises:
        ConfigError: The file cannot be read, or a rule in it is not one; names rule, key, file and line.
    """
    path = alerts_path(home)
    text = read_text(path)
    return DEFAULTS if text is None else parse_rules(text, file=str(path))


def parse_rules(text: str, *, file: str = "") -> tuple[Rule, ...]:
    """The rules in a YAML text; the runbook's four where everything in it is commented out.

    Raises:
        ConfigError: As `load_rules`.
    """
    given = parse_struct(text, _File, file=file)
    if given is None:
        return DEFAULTS
    names: set[str] = set()
    for place, rule in enumerate(given.alerts):
        key = "name"
        try:
            if rule.name in names:
                raise ConfigError(f"rule {rule.name}: there are two of this name")
            names.add(rule.name)
            key = "condition"
            rule.conditions()
            key = "message"
            if "{{" in _SLOT.sub("", rule.message) or "}}" in _SLOT.sub("", rule.message):
                raise ConfigError(f"rule {rule.name}: `message`: between {{{{ and }}}} stands one name and nothing else")
        except ConfigError as error:
            named = re.search(r"`(\w+)`: ", str(error))
            line = line_of(text, ["alerts", place, named[1] if named else key])
            raise ConfigError(str(error), file=file, line=line) from error
    return given.alerts


def _shown(value: Value | None) -> str:
    """A number as it is written down, with three decimals at most; infinity as its sign."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    return "∞" if math.isinf(value) else f"{round(value, 3):.12g}"


DEFAULTS = (
    Rule(
        name="MaintenanceTaskFailed",
        condition="maintenance_task_exit_code != 0",
        severity="warning",
        message="Maintenance task failed: {{ task_name }}",
    ),
    Rule(
        name="HealthScoreDeclined",
        condition="health_score < 80",
        severity="critical",
        message="Health score declined to {{ health_score }}",
        runs=2,
        at_once="score_capped and health_score < 80",
        clear="health_score >= 85",
    ),
    Rule(
        name="BackupFailed",
        condition="backup_age_hours > 25",
        severity="critical",
        message="Backup is {{ backup_age_hours }} hours old",
    ),
    Rule(
        name="SecurityVulnerabilities",
        condition="security_vulnerabilities > 0",
        severity="high",
        message="{{ security_vulnerabilities }} security vulnerabilities detected",
    ),
)
"""The runbook's rules, with the score's hysteresis."""
