"""The runbook's own scripts against `python -m healthkit.runbook`: every script in every world, with the contract checked.

    HEALTHKIT_RUNBOOK=runbook.md python benchmarks/runbook.py [--variant NAME].. [--script NAME]..

Needs root on Linux: each world is an overlay over this machine's file system with a network of its own, so that the
scripts run unmodified, at their own paths, and leave nothing behind. They sleep for a tenth of a second instead of ten, and
`systemctl` knows one service. A call of the old command line is recorded with its exit code, time and output.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runbook_worlds import HOME, LOGS, STUBS, VARIANTS, build

SHIM = Path("/opt/healthkit-shim")
CALLS = Path("/run/runbook-stubs/calls.jsonl")
LIMIT = 240
"""Seconds after which a script hangs."""
_ENTER = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1"/up "$1"/work "$1"/root
mount -t overlay overlay -o lowerdir=/,upperdir="$1"/up,workdir="$1"/work "$1"/root
mount --bind /dev "$1"/root/dev
mount -t proc proc "$1"/root/proc
mount -t tmpfs tmpfs "$1"/root/run
ip link set lo up
shift
exec chroot "$0" "$@"
"""
_RECORDER = """\
#!{python} -I
import json, subprocess, sys, time
began = time.monotonic()
done = subprocess.run([{python!r}, *sys.argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
sys.stdout.buffer.write(done.stdout); sys.stderr.buffer.write(done.stderr)
call = dict(flags=sys.argv[4:], code=done.returncode, seconds=time.monotonic() - began, out=done.stdout.decode(), err=done.stderr.decode())
open({calls!r}, "a").write(json.dumps(call) + "\\n")
sys.exit(done.returncode)
"""
MADE = {
    "daily-health-check.sh": ["reports/daily-*.json"],
    "daily-performance-monitoring.sh": ["metrics/daily-*.json"],
    "weekly-system-review.sh": ["reports/weekly/system-review-*.md"],
    "weekly-performance-analysis.py": ["reports/weekly/performance-analysis-*.json"],
    "monthly-optimization-review.py": ["reports/monthly/optimization-report-*.md"],
    "monthly-capacity-planning.py": ["reports/monthly/capacity-planning-*.json"],
    "monthly-security-audit.sh": ["security-audits/security-audit-*.txt"],
    "quarterly-dr-test.sh": ["reports/quarterly/dr-test-report.md"],
    "emergency-response.sh": ["/var/log/project-health/incidents/INC-*.log"],
    "data-corruption-recovery.sh": ["/var/log/project-health/recovery/REC-*.log"],
}
"""What a script leaves below HOME, or elsewhere."""


def main() -> int:
    """Print a table; exit code 1 where the contract does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--variant", action="append", choices=VARIANTS)
    parser.add_argument("--script", action="append", default=[])
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    source = os.environ.get("HEALTHKIT_RUNBOOK")
    if not source:
        sys.stdout.write("skipped: $HEALTHKIT_RUNBOOK does not name the runbook\n")
        return 0
    scripts = {
        name: text
        for name, text in extract(Path(source).read_text(encoding="utf-8")).items()
        if not asked.script or name in asked.script
    }
    if asked.inside:
        sys.stdout.write(json.dumps(run_all(asked.inside, scripts)) + "\n")
        return 0
    return _report(asked.variant or VARIANTS, scripts)


def extract(markdown: str) -> dict[str, str]:
    """The scripts of the runbook by the name in their second line, in its order."""
    blocks = re.findall(r"^```(?:bash|python)\n(#!.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    return {block.splitlines()[1].lstrip("# ").strip(): block for block in blocks}


def run_all(variant: str, scripts: dict[str, str]) -> list[dict[str, Any]]:
    """Inside the sandbox: build the world, run every script, say what became of it."""
    running = build(variant)
    os.environ["PATH"] = f"{STUBS}:{SHIM}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    subprocess.run([sys.executable, "-I", "-m", "healthkit.runbook", "--home", str(HOME), "--install-shim", str(SHIM)], check=True, capture_output=True)  # fmt: skip
    recorder = STUBS / "recorder"
    recorder.write_text(_RECORDER.format(python=sys.executable, calls=str(CALLS)))
    recorder.chmod(0o755)
    module = SHIM / "tools/health_checker/cli.py"
    module.write_text(module.read_text().replace(repr(sys.executable), repr(str(recorder))))
    LOGS.mkdir(parents=True, exist_ok=True)
    found = [_run(name, text) for name, text in scripts.items()]
    for process in running:
        process.kill()
    return found


def _run(name: str, text: str) -> dict[str, Any]:
    path = STUBS / name
    path.write_text(text)
    path.chmod(0o755)
    CALLS.unlink(missing_ok=True)
    before = {pattern: _newest(pattern) for pattern in MADE.get(name, ())}
    began = time.monotonic()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SHIM), "HOME": "/root", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            [str(path)], env=environment, cwd="/root", capture_output=True, check=False, timeout=LIMIT
        )
        code, err = done.returncode, done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        code, err = 124, ""
    calls = [json.loads(line) for line in CALLS.read_text().splitlines()] if CALLS.exists() else []
    return {
        "script": name,
        "code": code,
        "seconds": time.monotonic() - began,
        "calls": [{"flags": call["flags"], "code": call["code"], "seconds": call["seconds"]} for call in calls],
        "missing": [pattern for pattern in before if _newest(pattern) == before[pattern]],
        "broken": [fault for call in calls for fault in _faults(call)],
        "crash": err.splitlines()[-1] if "Traceback" in err and not any("Traceback" in c["err"] for c in calls) else "",
    }


def _newest(pattern: str) -> tuple[str, float] | None:
    top = Path("/") if pattern.startswith("/") else HOME
    files = sorted((path.stat().st_mtime, str(path)) for path in top.glob(pattern.lstrip("/")) if path.is_file())
    return (files[-1][1], files[-1][0]) if files else None


def _faults(call: dict[str, Any]) -> Iterator[str]:
    """Where a call breaks the contract of the old command line."""
    flags, out, code = call["flags"], call["out"], call["code"]
    flag = flags[0]
    unusable = code == 78 and "hosst" in call["err"]  # the configuration: said, and no answer was made up
    if code and not unusable and not (flag == "--analyze-performance" and not _is_json(Path(flags[1]))):
        yield f"{flag}: exit code {code}: {call['err'][-300:]}"
    if "Traceback" in call["err"]:
        yield f"{flag}: {call['err'][-300:]}"
    if flag == "--quick-score" and not re.fullmatch(r"\d+(\.\d+)?\n", out):
        yield f"{flag}: {out!r} is no number"
    if flag == "--full-check":
        score = json.loads(out)["overall_score"]
        if not 0 <= score <= 100:
            yield f"{flag}: score {score}"
    if flag in {"--send-alert", "--send-report"} and call["seconds"] > 5:
        yield f"{flag}: took {call['seconds']:.1f} s"
    markdown = flag in {"--comprehensive-report", "--performance-analysis", "--security-check", "--recommendations"}
    if markdown and not unusable and (not out.strip() or re.search(r"^#{1,2} ", out, re.MULTILINE)):
        yield f"{flag}: empty, or with a heading of the first or second level"


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    return True


def _report(variants: Sequence[str], scripts: dict[str, str]) -> int:
    bad = 0
    quick: list[float] = []
    for variant in variants:
        sys.stdout.write(f"\n{variant}\n")
        for row in _sandboxed(variant, list(scripts)):
            calls = ", ".join(f"{c['flags'][0]} {c['code']} in {c['seconds']:.1f} s" for c in row["calls"])
            notes = [
                *row["broken"],
                *(f"not made: {m}" for m in row["missing"]),
                *([f"the script itself: {row['crash']}"] if row["crash"] else []),
            ]
            sys.stdout.write(f"  {row['script']:36} exit {row['code']:3} {row['seconds']:6.1f} s  {calls}\n")
            sys.stdout.writelines(f"      {note}\n" for note in notes)
            bad += len(row["broken"]) + (row["code"] == 124)
            quick += [c["seconds"] for c in row["calls"] if c["flags"][0] == "--quick-score"]
        sys.stdout.flush()
    longest = f"{max(quick):.2f} s" if quick else "not called"
    sys.stdout.write(
        f"\n{len(scripts)} scripts in {len(variants)} worlds; contract broken {bad} times; longest --quick-score {longest}\n"
    )
    return 1 if bad else 0


def _sandboxed(variant: str, names: Sequence[str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="runbook-") as folder:
        inside = [
            sys.executable,
            "-P",
            str(Path(__file__).absolute()),
            "--inside",
            variant,
            *(w for n in names for w in ("--script", n)),
        ]
        command = [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "bash",
            "-c",
            _ENTER,
            f"{folder}/root",
            folder,
            *inside,
        ]
        environment = os.environ | {
            "PYTHONPATH": str(Path(__file__).parent),
            "HEALTHKIT_RUNBOOK": str(Path(os.environ["HEALTHKIT_RUNBOOK"]).absolute()),
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{variant}: the sandbox failed: {done.stderr[-2000:]}")
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


if __name__ == "__main__":
    sys.exit(main())
