"""What differs between two rounds of security questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from healthkit.findings import Severity

_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Changes:
    """What differs between two reviews; each entry is `check: subject: message`."""

    new: tuple[str, ...] = ()
    """Bad now; good, or not there, before."""
    worse: tuple[str, ...] = ()
    """Bad before, and by severity or number worse now."""
    better: tuple[str, ...] = ()
    """Still bad, and less so."""
    gone: tuple[str, ...] = ()
    """Bad before; good, or not there, now."""
    blind: tuple[str, ...] = ()
    """Could be told before and cannot be told now."""
    appeared: tuple[str, ...] = ()
    """In an inventory now and not before: a user with a shell, a set-uid file, good or bad."""
    vanished: tuple[str, ...] = ()
    """The other way round."""

    def __str__(self) -> str:
        told = f"{len(self.new)} new, {len(self.worse)} worse, {len(self.better)} better, {len(self.gone)} gone, {len(self.blind)} no longer known"
        moved = f"; {len(self.appeared)} entries of inventories appeared, {len(self.vanished)} vanished"
        return told + (moved if self.appeared or self.vanished else "")


def changes(before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> Changes:
    """Compare two reviews.

    Args:
        before: The findings of the earlier one, as `Finding.as_dict` gives them.
        now: Those of the later one.
    """
    old = {(f["check"], f["subject"]): f for f in before}
    new = {(f["check"], f["subject"]): f for f in now}
    kinds: dict[str, list[str]] = {name: [] for name in Changes.__dataclass_fields__}
    for key, finding in sorted(new.items()):
        kind = _kind(old.get(key), finding)
        if kind:
            kinds[kind].append(_line(finding))
        if key in old and "unknown" not in (finding["severity"], old[key]["severity"]):
            here, there = _inventory(finding), _inventory(old[key])
            kinds["appeared"] += [f"{key[0]}: {key[1]}: {entry}" for entry in sorted(here - there)]
            kinds["vanished"] += [f"{key[0]}: {key[1]}: {entry}" for entry in sorted(there - here)]
    blinded = {check for (check, _), finding in new.items() if finding["severity"] == "unknown"}
    for key, finding in sorted(old.items()):
        if key not in new and _bad(finding) and key[0] not in blinded:
            kinds["gone"].append(_line(finding))
    return Changes(**{name: tuple(lines) for name, lines in kinds.items()})


def _inventory(finding: Mapping[str, Any]) -> set[str]:
    """What a finding counts up, good and bad."""
    return {str(entry) for entry in finding.get("evidence", {}).get("inventory", ())}


def _kind(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    if now["severity"] == "unknown":
        return "blind" if before is None or before["severity"] != "unknown" else ""
    was_bad = before is not None and _bad(before)
    if before is None or not was_bad:
        return "new" if _bad(now) else ""
    if not _bad(now):
        return "gone"
    step = _RANKS[now["severity"]] - _RANKS[before["severity"]]
    if not step and None not in (now["value"], before["value"]):
        # Of the days that a certificate has left, fewer are worse.
        step = (now["value"] - before["value"]) * (-1 if now["check"] == "certificates" else 1)
    return "worse" if step > 0 else "better" if step < 0 else ""


def _bad(finding: Mapping[str, Any]) -> bool:
    return finding["severity"] in ("warning", "critical")


def _line(finding: Mapping[str, Any]) -> str:
    return f"{finding['check']}: {finding['subject']}: {finding['message']}"
