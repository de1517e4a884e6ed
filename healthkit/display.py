"""HTML for people: tables, badges, and the one style sheet of everything healthkit shows.

Semantic elements, colours by CSS variables (light and dark), severity always as glyph, word and colour. Every text
that comes from a machine passes `text`, which escapes markup and makes control characters visible.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from healthkit.findings import Severity

STYLE = """
:root{--paper:#fff;--ink:#1b2733;--muted:#566370;--line:#dfe4e8;--soft:#f5f7f9;--accent:#1a5fd0;--critical:#b3261e;--warning:#8a5300;--unknown:#6b3fa0;--info:#1a5fd0;--ok:#1b6e3c}
@media(prefers-color-scheme:dark){:root{--paper:#12181f;--ink:#e4e9ee;--muted:#9ba8b4;--line:#2c3742;--soft:#1a222b;--accent:#7fb0ff;--critical:#ff8a80;--warning:#f2b661;--unknown:#c9a6ff;--info:#7fb0ff;--ok:#7fd39b}}
.hk{color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
.hk p{margin:.5em 0;max-width:46em}.hk .lead{font-size:1.25rem;line-height:1.4}.hk .muted,.hk .note{color:var(--muted)}.hk .note{font-size:.875rem}
.hk .scroll{overflow-x:auto;margin:.75em 0}.hk table{border-collapse:collapse;min-width:min(100%,40rem);font-size:.9375rem}
.hk th,.hk td{text-align:left;padding:.45em 1.5em .45em 0;border-bottom:1px solid var(--line);vertical-align:top}
.hk th{color:var(--muted);font-weight:600;font-size:.8125rem;white-space:nowrap}.hk .num{text-align:right;white-space:nowrap}.hk .host{display:inline-block;width:max-content;max-width:100%;overflow-wrap:anywhere}.hk td .host{max-width:10rem}.hk tr{break-inside:avoid}
.hk .sev{white-space:nowrap;font-weight:600}.hk .sev-critical{color:var(--critical)}.hk .sev-warning{color:var(--warning)}.hk .sev-unknown{color:var(--unknown)}.hk .sev-info{color:var(--info)}.hk .sev-ok{color:var(--ok)}
.hk .spark{width:7.5rem;height:1.5rem;vertical-align:middle;overflow:visible}.hk .spark path{fill:none;stroke:var(--accent);stroke-width:1.5;stroke-linecap:round;vector-effect:non-scaling-stroke}
.hk .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.25rem 2rem}
.hk .chart{margin:0;break-inside:avoid;min-width:0}.hk figcaption{font-weight:600;font-size:.9375rem;margin-bottom:.5em}
.hk .plot{position:relative;height:11rem;margin:0 1rem 1.5rem 4rem}.hk .plot svg{position:absolute;width:100%;height:100%;overflow:visible}
.hk .plot path{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}
.hk .plot .line{stroke:var(--ink);stroke-width:1.5}.hk .plot .forecast{stroke:var(--accent);stroke-width:2}.hk .plot .faint{stroke:var(--muted);stroke-width:1}
.hk .plot .band{fill:var(--accent);opacity:.14;stroke:none}.hk .plot .limit{stroke:var(--critical);stroke-width:1.5;stroke-dasharray:6 4}.hk .plot .mark{stroke:var(--muted);stroke-dasharray:2 3}.hk .plot .grid{stroke:var(--line);stroke-width:1}.hk .plot .now{stroke:var(--muted);stroke-width:1}
.hk .labels{position:absolute;inset:0;font-size:.75rem;color:var(--muted);line-height:1}.hk .labels span{position:absolute;white-space:nowrap}
.hk .labels .y{right:100%;transform:translate(-.5rem,-50%)}.hk .labels .x{top:100%;transform:translate(-50%,.5rem)}.hk .labels .at{right:0;transform:translateY(-120%);color:var(--critical)}.hk .labels .mark{top:0;transform:translate(.25rem,0)}.hk .labels .end{transform:translate(calc(-100% - .25rem),0)}
@media(max-width:30rem){.hk .labels .x:nth-last-child(even){visibility:hidden}}
.hk .tiles{display:flex;flex-wrap:wrap;gap:.75rem 2.5rem;margin:1.25em 0 0}
.hk .tile b{display:block;font-size:1.75rem;line-height:1.15;font-weight:680;letter-spacing:-.01em}.hk .tile span{color:var(--muted);font-size:.8125rem}.hk .tile:first-child b{font-size:2.5rem;line-height:1}
.hk .hero{border-left:6px solid var(--state);background:var(--soft);padding:1.1rem 1.5rem 1.25rem;border-radius:0 10px 10px 0;margin:1rem 0}.hk .hero p{margin:.15em 0}.hk .hero .lead{margin:.35em 0 0;font-size:1.3rem;max-width:52rem}
.hk .state{color:var(--state);font-weight:700;margin-right:.75em}.hk .state-healthy{--state:var(--ok)}.hk .state-attention{--state:var(--warning)}.hk .state-critical{--state:var(--critical)}.hk .state-unknown{--state:var(--unknown)}
.hk .heat{width:100%;height:auto;max-width:40rem;display:block}.hk .heat text{font-size:.5px;fill:var(--muted)}.hk .heat path{stroke:var(--accent);stroke-width:.9;stroke-dasharray:.9 .1}
.hk .up{color:var(--warning)}.hk .down{color:var(--ok)}
.hk details{margin:.5em 0;border-left:3px solid var(--line);padding-left:.9em}.hk summary{cursor:pointer}.hk dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1em;font-size:.9375rem}.hk dt{color:var(--muted)}.hk dd{margin:0;overflow-wrap:anywhere}
.hk .banner{background:var(--soft);border:1px dashed var(--muted);padding:.6em 1em;font-weight:600}
""".strip()
"""Everything is below `.hk`, so that it leaves a notebook's own look alone."""
WIDEST = 9
"""Columns up to which a page has CSS to show a row as a block."""


def text(value: object) -> str:
    r"""*value* as HTML text: markup escaped, control characters shown as Unicode escapes instead of obeyed.

    >>> text("<b>\x1b[31m")
    '&lt;b&gt;\\x1b[31m'
    """
    shown = "".join(
        char if unicodedata.category(char) not in {"Cc", "Cf", "Cs"} else char.encode("unicode_escape").decode("ascii")
        for char in str(value)
    )
    return escape(shown)


def badge(severity: Severity, word: str = "") -> str:
    """Severity as glyph, word and colour; the word may be another than its own."""
    return f'<span class="sev sev-{severity.value}">{severity.glyph}\u00a0{text(word or severity.value)}</span>'


def host(name: object) -> str:
    """A host's name, which is not broken at its hyphens unless it is long."""
    return f'<span class="host">{text(name)}</span>'


def table(
    columns: Sequence[str] | Sequence[str | tuple[str, str]],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Sequence[int] = (),
    caption: str = "",
) -> str:
    """A table that scrolls inside its own box where it is too wide; a page on a phone shows each row as a block.

    There a cell stands below the heading of its column, which the page's CSS takes from `--h2`, `--h3` ... of the table: once
    a table, not once a cell. The first cell needs none, it is the heading of the block.

    Args:
        columns: Headings, plain text; or a heading and what is shown when it is pointed at.
        rows: Cells as HTML: pass machine text through `text` first. The first cell is the row's heading.
        numeric: Indices of columns with numbers, set flush right.
        caption: What the table shows, for those who cannot see it.
    """
    kind = dict.fromkeys(numeric, ' class="num"')
    heads = [(one, "") if isinstance(one, str) else (one[0], f' title="{escape(one[1])}"') for one in columns]
    head = "".join(f'<th scope="col"{kind.get(i, "")}{hover}>{escape(n)}</th>' for i, (n, hover) in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(f"<td{kind.get(i, '')}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    label = f' role="region" tabindex="0" aria-label="{escape(caption)}"' if caption else ""
    stacked = _stacked([name for name, _ in heads])
    return (
        f'<div class="scroll"{label}><table{stacked}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _stacked(names: Sequence[str]) -> str:
    """Attributes of a table whose rows can be blocks; none where it is narrow anyway, or wider than the CSS knows."""
    if not 3 <= len(names) <= WIDEST:
        return ""
    strings = (name.replace("\\", r"\\").replace("'", r"\'").replace("\n", " ") for name in names[1:])
    known = ";".join(f"--h{column}:'{string}'" for column, string in enumerate(strings, 2))
    return f' class="stack" style="{escape(known)}"'


def tiles(items: Iterable[tuple[str, str]]) -> str:
    """Big numbers in a row: pairs of value (HTML) and label (text)."""
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{v}</b><span>{text(k)}</span></div>' for v, k in items)
        + "</div>"
    )


def definitions(items: Iterable[tuple[str, str]]) -> str:
    """Pairs of name (text) and value (HTML)."""
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{value}</dd>" for name, value in items) + "</dl>"
