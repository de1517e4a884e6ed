"""HTML that a page may show: Markdown without raw HTML, and strangers' HTML without anything that acts or fetches."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from html.parser import HTMLParser

_TAGS = frozenset(
    (  # noqa: SIM905 - fifty quoted words are no easier to read
        "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure "
        "h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strong sub summary sup "
        "table tbody td tfoot th thead time tr u ul var"
    ).split()
)
_SILENT = frozenset({"script", "style", "iframe", "object", "embed", "template", "svg", "math", "noscript", "title"})
_VOID = frozenset({"br", "col", "hr", "img"})
_ATTRIBUTES = frozenset(
    {"alt", "class", "colspan", "datetime", "height", "lang", "open", "rowspan", "scope", "title", "width"}
)
_LINK = re.compile(r"(?:https?://|mailto:|#|[\w./-]+\Z)", re.IGNORECASE)
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,", re.IGNORECASE)


def markdown(text: str) -> str:
    """HTML of a Markdown text; HTML in it is shown, not obeyed."""
    import mistune

    render = mistune.create_markdown(escape=True, plugins=["table", "strikethrough", "task_lists"])
    return clean(str(render(text)).replace(' href="#harmful-link"', ""))  # what mistune makes of javascript:


def clean(html: str) -> str:
    """HTML from outside, reduced to structure: no scripts, styles, forms, handlers, no request when it is opened."""
    cleaner = _Cleaner()
    cleaner.feed(html)
    cleaner.close()
    made = "".join([*cleaner.parts, *(f"</{tag}>" for tag in reversed(cleaner.open))])
    return made.replace("<th></th>", "<td></td>")  # pandas' corner: a heading of nothing


def slug(text: str) -> str:
    """A stable name for an anchor.

    >>> slug("What needs a hand: disks & hosts")
    'what-needs-a-hand-disks-hosts'
    """
    words = unicodedata.normalize("NFKD", re.sub(r"<[^>]*>|&[#\w]+;", " ", text)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "section"


def scrolling(html: str) -> str:
    """Tables in boxes of their own: a wide one scrolls there, by finger or keyboard, and the page does not."""
    if 'class="scroll"' in html:
        return html
    html = re.sub(r"<table\b", '<div class="scroll" role="group" aria-label="Table" tabindex="0"><table', html)
    return html.replace("</table>", "</table></div>")


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent or tag in _SILENT:
            self._silent.extend([tag] if tag in _SILENT else [])
            return
        if tag not in _TAGS:
            return
        kept = [f' {name}="{escape(value or "")}"' for name, value in attrs if _allowed(tag, name, value or "")]
        if tag == "img" and not any(part.startswith(" src=") for part in kept):
            self.parts.append(escape(dict(attrs).get("alt") or ""))
            return
        self.parts.append(f"<{tag}{''.join(kept)}>")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag == self._silent[-1]:
                self._silent.pop()
        elif tag in self.open:
            while (closed := self.open.pop()) != tag:
                self.parts.append(f"</{closed}>")
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(escape(data, quote=False))


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and bool(_LINK.match(value.strip()))
    if name == "src":
        return tag == "img" and bool(_IMAGE.match(value))
    return name in _ATTRIBUTES
