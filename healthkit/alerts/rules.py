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
            ConfigError: One of them may not be evaluated; `parse_rules` has refused such a rule.
        """
        given = {key: getattr(self, key) for key in ("condition", "at_once", "clear")}
        return {key: parse_condition(text) for key, text in given.items() if text is not None}

    def say(self, values: Mapping[str, Value]) -> str:
        """The message with its slots filled; what is missing reads `unknown`. One line, printable."""
        first = self.conditions()["condition"].names[:1]
        known: dict[str, Value] = {
            "name": self.name,
            "severity": self.severity,
            **{k: v for k, v in values.items() if k != "name"},
        }
        if first and first[0] in values:
            known["value"] = values[first[0]]
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
    for place, rule in enumerate(given.alerts):
        key, error = _fault(rule, {other.name for other in given.alerts[:place]})
        if error:
            raise ConfigError(error, file=file, line=line_of(text, ["alerts", place, key]))
    return given.alerts


def _fault(rule: Rule, names: set[str]) -> tuple[str, str]:
    """The key of a rule that cannot be used, and why; two empty texts if all can."""
    if rule.name in names:
        return "name", f"rule {rule.name}: there are two of this name"
    for key in ("condition", "at_once", "clear"):
        try:
            if getattr(rule, key) is not None:
                parse_condition(getattr(rule, key))
        except ConfigError as error:
            return key, f"rule {rule.name}: `{key}`: {error}"
    rest = _SLOT.sub("", rule.message)
    if "{{" in rest or "}}" in rest:
        return "message", f"rule {rule.name}: `message`: one name stands between {{{{ and }}}}, and nothing else"
    return "", ""


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
    Rule(
        name="SecurityScoreLow",
        condition="security_score < 80",
        severity="high",
        message="Security audit: {{ security_score }} of 100",
    ),
)
"""The runbook's rules, with the score's hysteresis."""
