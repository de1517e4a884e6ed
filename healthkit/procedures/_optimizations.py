"""The optimisation review as Markdown: what was told in each part, and the recommendations with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from healthkit.quantities import quantity, utc

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene


def render(scene: Scene, told: Mapping[str, Sequence[str]], advice: Sequence[Mapping[str, Any]]) -> str:
    """A heading a part; a part about which nothing could be told says so."""
    lines = [f"# Optimisation review {scene.now:%Y-%m} of {scene.config.host}", "", f"Generated: {utc(scene.now)}"]
    for part, sentences in told.items():
        lines += ["", f"## {part}", "", *(f"- {sentence}" for sentence in sentences)]
    lines += ["", f"## Recommendations ({len(advice)})", ""]
    lines += [
        f"{number}. {one['subject']}: {one['text']} [{quantity(one['value'], one['unit'])}]. Do: {one['do']}"
        for number, one in enumerate(advice, 1)
    ]
    return "\n".join(_plain(line) for line in lines) + "\n"


def _plain(line: str) -> str:
    """What a terminal would obey is shown instead."""
    line = line.replace("\u00a0", " ")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
