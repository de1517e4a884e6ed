"""One lean page over a notebook's outputs: no script, no request, the same bytes for the same inputs."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.reports import brands, outputs
from healthkit.reports.markup import clean, markdown, scrolling, slug
from healthkit.reports.notebooks import failing_cell

if TYPE_CHECKING:
    from jinja2 import Template

    from healthkit.config import Brand

_STYLE = f"<style>{display.STYLE}</style>"
_HOST = re.compile(r'<span class="host">([^<]*)</span>')
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)


def render(
    notebook: Any,
    *,
    title: str = "",
    language: str = "en",
    links: Mapping[str, str] | None = None,
    above: str = "",
    brand: Brand | None = None,
) -> str:
    """The page of an executed notebook, as one HTML file.

    Args:
        notebook: As executed; after a failing cell nothing is shown, and the page says so.
        links: Where hosts have pages of their own: their names become links.
        above: Where the page is that this one belongs to.
        brand: Whose report it is.
        title: Title of the document; default: the first heading, then period and hosts.
        language: Language of the texts, for screen readers.

    Raises:
        ConfigError: The brand's logo cannot be used.
    """
    from markupsafe import Markup

    body = _Body(links or {})
    for cell in notebook.cells:
        body.add(cell)
    sections = outputs.shown(notebook)
    verdict = outputs.verdict(sections)
    failed = failing_cell(notebook)
    heading = next((text for level, _, text in body.headings if level == 1), title or verdict.name or "Report")
    return template("page.html").render(
        language=language,
        style=Markup(display.STYLE),  # noqa: S704 - our own
        title=title or " · ".join(filter(None, [heading, verdict.period, scope(verdict)])),
        heading="" if any(level == 1 for level, _, _ in body.headings) else heading,
        kicker=[part for part in (verdict.cadence.capitalize(), verdict.period, scope(verdict)) if part],
        contents=[(anchor, text) for level, anchor, text in body.headings if level == 2],
        above=above,
        brand=brand.name if brand else "",
        logo=brands.logo(brand) if brand else "",
        colours=Markup(brands.style(brand) if brand else ""),  # noqa: S704 - digits, by their pattern
        simulated=verdict.simulated,
        failure=_failure(*failed) if failed else None,
        blocks=[Markup(block) for block in body.blocks],  # noqa: S704 - cleaned where it came from outside
    )


@cache
def template(name: str) -> Template:
    """A template of this package; what is put into it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)


def scope(verdict: outputs.Verdict) -> str:
    """The host, the group, or how many."""
    if verdict.group:
        return f"{outputs.line(verdict.group)} fleet"
    hosts = verdict.hosts or ((verdict.host,) if verdict.host else ())
    return outputs.line(hosts[0]) if len(hosts) == 1 else f"{len(hosts)} hosts" if hosts else ""


class _Body:
    """The blocks of a page, in order, with anchors that are unique on it."""

    def __init__(self, links: Mapping[str, str]) -> None:
        self.blocks: list[str] = []
        self.headings: list[tuple[int, str, str]] = []
        self._anchors: Counter[str] = Counter()
        self._latest = ""
        self._links = {f'<span class="host">{display.text(host)}</span>': href for host, href in links.items()}

    def add(self, cell: Any) -> None:
        """What a reader sees of a cell: a text, or the outputs. The code is in the notebook."""
        tags = set(cell.metadata.get("tags", ()))
        if {"papermill-error-cell-tag", "remove-cell"} & tags:
            return
        if cell.cell_type == "markdown":
            self.blocks.append(scrolling(_HEADING.sub(self._anchor, markdown(outputs.plain(cell.source)))))
        elif cell.cell_type == "code" and "remove-output" not in tags:
            self.blocks.extend(block for output in cell.outputs for block in self._show(output))

    def _anchor(self, match: re.Match[str]) -> str:
        level, inner = int(match[1]), match[2]
        name = slug(inner)
        self._anchors[name] += 1
        if self._anchors[name] > 1:
            name = f"{name}-{self._anchors[name]}"
        text = unescape(re.sub(r"<[^>]*>", "", inner))
        self._latest = text
        self.headings.append((level, name, text))
        return f'<h{level} id="{name}">{inner}</h{level}>'

    def _link(self, match: re.Match[str]) -> str:
        href = self._links.get(match[0])
        return f'<a class="host" href="{escape(href)}">{match[1]}</a>' if href else match[0]

    def _show(self, output: Any) -> Iterator[str]:
        if output.output_type == "stream":
            if text := outputs.plain(output.text).rstrip():
                yield f'<pre class="{escape(output.name)}">{escape(text, quote=False)}</pre>'
        elif output.output_type == "error":
            yield (
                f'<div class="failure"><p><strong>{escape(output.ename)}</strong>: {escape(outputs.plain(output.evalue))}</p>'
                f"<details><summary>Traceback</summary><pre>{escape(traceback(output), quote=False)}</pre></details></div>"
            )
        else:
            yield from self._data(output.data)

    def _data(self, data: Mapping[str, Any]) -> Iterator[str]:
        ours = data.get(outputs.MIME)
        text = outputs.plain(str(data.get("text/plain", "")))
        if isinstance(ours, Mapping) and "text/html" in data:
            name = escape(slug(str(ours.get("section", ""))))
            html = _HOST.sub(self._link, data["text/html"].replace(_STYLE, ""))  # it is in the page's head, once
            yield f'<div class="section s-{name}">{scrolling(html)}</div>'
        elif "text/html" in data:
            yield f'<div class="output">{scrolling(clean(outputs.plain(data["text/html"])))}</div>'
        elif "text/markdown" in data:
            yield f'<div class="output">{scrolling(markdown(outputs.plain(data["text/markdown"])))}</div>'
        elif "image/svg+xml" in data:
            encoded = base64.b64encode(data["image/svg+xml"].encode()).decode()
            yield self._figure("svg+xml", encoded, text)
        elif kind := next((kind for kind in ("png", "jpeg") if f"image/{kind}" in data), ""):
            yield self._figure(kind, "".join(data[f"image/{kind}"].split()), text)
        elif text:
            yield f"<pre>{escape(text, quote=False)}</pre>"

    def _figure(self, kind: str, encoded: str, text: str) -> str:
        alternative = (
            text if text and not text.startswith("<") else f"Figure: {self._latest}" if self._latest else "Figure"
        )
        return f'<figure><img src="data:image/{kind};base64,{escape(encoded)}" alt="{escape(alternative)}"></figure>'


def traceback(output: Any) -> str:
    """The traceback of an error output, in plain text."""
    return outputs.plain("\n".join(output.get("traceback", ())))


def _failure(number: int, cell: Any) -> dict[str, str]:
    error = next((output for output in cell.outputs if output.output_type == "error"), None)
    reason = outputs.line(f"{error.ename}: {error.evalue}") if error else "it gave no reason"
    return {"cell": str(number), "reason": reason}
