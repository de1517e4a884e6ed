"""Is anything that comes in filtered? What the kernel holds, told by nft, else by iptables; ufw's own word beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit.checks._context import NOT_INSTALLED
from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "network"

_REFUSES = ("drop", "reject")


class _State(NamedTuple):
    """What one tool says of incoming packets."""

    refuses: bool
    """Whether anything is refused, by a rule or by default."""
    rules: int
    default: str
    """Policy of the input chain."""
    source: str


def check(context: Context) -> Iterator[Finding]:
    """A host that refuses nothing is WARNING; one whose rules cannot be read is UNKNOWN, not unfiltered."""
    errors: list[str] = []
    for ask in (_nft, _iptables):
        try:
            state = ask(context)
        except FileNotFoundError as error:
            if error.strerror != NOT_INSTALLED:
                raise
            errors.append(f"{error.filename} is not installed")
        except (OSError, ValueError, KeyError, TypeError) as error:
            errors.append(str(error))
        else:
            yield _judge(state, _ufw(context))
            return
    hint = "Install nftables, and run the audit as root."
    evidence = {"tried": errors, "ufw": _ufw(context)}
    yield Finding(
        "firewall", Severity.UNKNOWN, "firewall", f"cannot be told: {'; '.join(errors)}", evidence=evidence, hint=hint
    )


def _judge(state: _State, ufw: str) -> Finding:
    told = f"{state.rules} rules for what comes in, by default {state.default}"
    tail = f"; ufw is {ufw}" if ufw else ""
    return Finding(
        "firewall",
        Severity.OK if state.refuses else Severity.WARNING,
        "firewall",
        f"{told if state.refuses else f'nothing that comes in is refused: {told}'}{tail}",
        value=float(state.rules),
        evidence={"threshold": 1, "default": state.default, "ufw": ufw, "source": state.source},
        hint="" if state.refuses else "Refuse by default, and allow what `security: ports` names.",
    )


def _nft(context: Context) -> _State:
    """Source: libnftables-json(5)."""
    result = context.tool("nft", "-j", "list", "ruleset")
    if result.returncode:
        raise OSError(f"nft: {_reason(result.stderr)}")
    items: list[dict[str, Any]] = json.loads(result.stdout or '{"nftables": []}')["nftables"]
    chains = {
        (c["family"], c["table"], c["name"]): c.get("policy", "accept")
        for c in (item["chain"] for item in items if "chain" in item)
    }
    entries = {
        (c["family"], c["table"], c["name"])
        for c in (i["chain"] for i in items if "chain" in i)
        if c.get("hook") == "input"
    }
    rules = [item["rule"] for item in items if "rule" in item]
    reached = _reached(entries, rules)
    active = [rule for rule in rules if _place(rule) in reached]
    verdicts = [verdict for rule in active for part in rule["expr"] for verdict in part]
    policies = sorted({chains[entry] for entry in entries}, reverse=True)
    refuses = "drop" in policies or any(verdict in _REFUSES for verdict in verdicts)
    return _State(refuses, len(active), " and ".join(policies) or "accept", "nft list ruleset")


def _place(rule: dict[str, Any]) -> tuple[str, str, str]:
    return rule["family"], rule["table"], rule["chain"]


def _reached(entries: set[tuple[str, str, str]], rules: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """The chains of incoming packets, and those that they jump to."""
    reached, new = set(entries), set(entries)
    while new:
        targets = {
            (family, table, part[word]["target"])
            for rule in rules if (family := rule["family"], table := rule["table"], rule["chain"]) in new
            for part in rule["expr"] for word in ("jump", "goto") if word in part
        }  # fmt: skip
        new = targets - reached
        reached |= new
    return reached


def _iptables(context: Context) -> _State:
    """Rules of both families: what IPv4 refuses, IPv6 may let in."""
    states = []
    for name in ("iptables", "ip6tables"):
        result = context.tool(name, "-S")
        if result.returncode:
            raise OSError(f"{name}: {_reason(result.stderr)}")
        lines = result.stdout.splitlines()
        default = next((line.split()[2].lower() for line in lines if line.startswith("-P INPUT")), "accept")
        rules = [line for line in lines if line.startswith("-A") and not line.startswith(("-A FORWARD", "-A OUTPUT"))]
        refuses = default == "drop" or any(f"-j {verdict.upper()}" in rule for rule in rules for verdict in _REFUSES)
        states.append(_State(refuses, len(rules), default, name))
    default = " and ".join(dict.fromkeys(state.default for state in states))
    return _State(all(s.refuses for s in states), sum(s.rules for s in states), default, "iptables -S, ip6tables -S")


def _ufw(context: Context) -> str:
    """What ufw says of itself; empty where it is not installed."""
    try:
        result = context.tool("ufw", "status")
    except FileNotFoundError:
        return ""
    first = (result.stdout.splitlines() or [""])[0]
    return first.removeprefix("Status: ") if first.startswith("Status: ") else "unknown"


def _reason(stderr: str) -> str:
    return (stderr.strip().splitlines() or ["it failed and says nothing"])[0][:200]
