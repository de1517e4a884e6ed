"""What a report says: one function a section, one call in a notebook.

Each takes a `Review` and returns a `Section`, which shows itself as HTML, text and JSON. A new section is a file here
with a function of the file's name, a line below, and a heading and a call in a notebook.
"""

from __future__ import annotations

from healthkit.sections.architecture import architecture
from healthkit.sections.attention import attention
from healthkit.sections.audit import audit
from healthkit.sections.availability import availability
from healthkit.sections.backups import backups
from healthkit.sections.benchmark import benchmark
from healthkit.sections.capacity import capacity
from healthkit.sections.changes import changes
from healthkit.sections.checklists import checklists
from healthkit.sections.coverage import coverage
from healthkit.sections.drills import drills
from healthkit.sections.evidence import evidence
from healthkit.sections.hours import hours
from healthkit.sections.maintenance import maintenance
from healthkit.sections.optimization import optimization
from healthkit.sections.percentiles import percentiles
from healthkit.sections.performance import performance
from healthkit.sections.plan import plan
from healthkit.sections.provenance import provenance
from healthkit.sections.recommendations import recommendations
from healthkit.sections.record import record
from healthkit.sections.resources import resources
from healthkit.sections.section import MEDIA_TYPE, Section
from healthkit.sections.security import security
from healthkit.sections.trends import trends
from healthkit.sections.verdict import verdict
from healthkit.sections.year import year

__all__ = [
    "MEDIA_TYPE",
    "Section",
    "architecture",
    "attention",
    "audit",
    "availability",
    "backups",
    "benchmark",
    "capacity",
    "changes",
    "checklists",
    "coverage",
    "drills",
    "evidence",
    "hours",
    "maintenance",
    "optimization",
    "percentiles",
    "performance",
    "plan",
    "provenance",
    "recommendations",
    "record",
    "resources",
    "security",
    "trends",
    "verdict",
    "year",
]
