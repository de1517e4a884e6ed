"""A notebook for the tests of `reports`: every cell is what a section of ours, or a user's own cell, displays."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HOSTILE = '<img src=x onerror=alert(1)> \x1b[31mred\x1b[0m "quoted" $(id)'

SECTIONS = """
from healthkit import display
from healthkit.charts import Band, Chart, Line, sparkline
from healthkit.findings import Finding, Severity
from healthkit.sections.section import Section

DAY = 86400.0
findings = [
    Finding("disk", Severity.CRITICAL, "/var", "96 % full, full on 3 Dec", 0.96, "ratio", hint="Delete old logs.", host="db-3"),
    Finding("cpu", Severity.WARNING, HOSTILE, "busy 91 % of the time", 0.91, "ratio", host="web-1"),
    Finding("backup", Severity.UNKNOWN, "backup", "no directory is configured", host="web-1", hint="Name it in healthkit.yaml."),
] * many
rows = [finding.as_dict() for finding in findings]

def verdict():
    data = {"name": "weekly", "cadence": "weekly", "period": period or "2026-W47", "so_far": False, "host": "2 hosts",
            "hosts": [h for h in hosts.split(",") if h] or ["db-3", "web-1"], "score": score, "state": "critical",
            "coverage": 0.993, "worst": "critical", "change": -4.2, "simulated": bool(simulated), "findings": rows,
            "sentence": "1 of 2 hosts needs action now: db-3 /var: 96 % full, full on 3 Dec."}
    html = '<p class="lead">' + display.text(data["sentence"]) + "</p>" + display.tiles(
        [("87.3 (-4.2)", "score (of 100, lower bound)"), ("99.3 %", "of the time measured"), ("2", "hosts"), ("1", "critical")])
    return Section("verdict", html, data["sentence"], data)

def attention():
    cells = [(display.badge(f.severity), display.text(f.host), f"<b>{display.text(f.subject)}</b> {display.text(f.message)}",
              display.text(f.hint)) for f in findings]
    html = display.table(["Severity", "Host", "What", "What to do"], cells, caption="Findings, worst first")
    return Section("attention", html, "\\n".join(f"{f.host}: {f}" for f in findings), {"rows": rows})

def capacity():
    x = tuple(i * DAY + 1.79e9 for i in range(60))
    y = tuple(0.5 + i / 150 + (i % 7) / 100 for i in range(60))
    ahead = tuple(x[-1] + i * DAY for i in range(30))
    chart = Chart("disk-db-3-var", "Disk used, db-3 /var", "ratio",
        (Line("measured", x, y), Line("forecast", ahead, tuple(0.92 + i / 300 for i in range(30)), "forecast")),
        "Disk used of db-3 /var: 92 % now, 100 % on 3 Dec.", (Band("80 %", ahead, tuple(0.92 + i / 400 for i in range(30)),
        tuple(0.92 + i / 200 for i in range(30)), 80),), limit=1.0)
    entry = {"host": "db-3", "metric": "disk_used_ratio", "device": "/var", "days": 10.0, "date": "2026-12-03", "lower": "2026-11-30",
             "upper": "2026-12-09", "limit": 1.0, "sentence": "/var is full on 3 Dec (30 Nov to 9 Dec)"}
    html = display.table(["Host", "What", "Full", "Course"], [("db-3", "/var", "3 Dec (30 Nov to 9 Dec)", sparkline(y, alt="60 days"))], caption="Days until full")
    return Section("capacity", html + f'<div class="charts">{chart.html()}</div>', entry["sentence"], {"rows": [entry] * many}, (chart,))
"""


def notebook(*cells: str, parameters: str = "") -> nbformat.NotebookNode:
    """Cells that start with `#` and a space are Markdown."""
    made = new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    if parameters:
        cell = new_code_cell(parameters)
        cell.metadata["tags"] = ["parameters"]
        made.cells.append(cell)
    made.cells += [new_markdown_cell(c) if c.lstrip("#").startswith(" ") else new_code_cell(c) for c in cells]
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    return made


PARAMETERS = """home = ""  # directory with metrics
period = ""  # ISO week
hosts = ""  # comma between them
score: float = 87.3
many: int = 1  # how often each row is repeated
simulated = False
"""


def weekly() -> nbformat.NotebookNode:
    """Looks like the weekly report, and ends with cells that users write."""
    return notebook(
        f"HOSTILE = {HOSTILE!r}" + SECTIONS,
        "# Weekly report",
        "verdict()",
        "## What needs a hand\nWorst first.",
        "attention()",
        "## Days until full",
        "capacity()",
        "## From users' own cells\n<script>alert(1)</script> and [a link](javascript:alert(1)), ![x](http://example.org/x.png)",
        "import pandas as pd\npd.DataFrame({'host': [HOSTILE, 'db-3'], **{f'column_{i}': [1.5, 2] for i in range(20)}})",
        "from IPython.display import HTML, SVG, Markdown, display\nprint(HOSTILE)\n"
        "display(HTML('<b onclick=\"x()\">bold</b><script>alert(1)</script>'), Markdown('*so*'))",
        'SVG(\'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle r="9" cx="10" cy="10"/></svg>\')',
        parameters=PARAMETERS,
    )


def write(made: nbformat.NotebookNode, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path
