"""Checklists: the tasks of the schedule that take people, with owner, due date and sign-off, kept from period to period."""

from __future__ import annotations

from healthkit.checklists.definitions import Checklist, Item, definitions
from healthkit.checklists.evidence import Evidence
from healthkit.checklists.standings import Standing, sign, standings

__all__ = ["Checklist", "Evidence", "Item", "Standing", "definitions", "sign", "standings"]
