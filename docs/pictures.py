"""Make the pictures in docs/img again: the simulated fleet's reports in a real Chromium, wide, narrow, dark and on paper,
and the mail as a real SMTP server received it.

python docs/pictures.py
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Browser  # noqa: E402 - the tests' browser and mail server, found by the line above
from smtp_server import Server  # noqa: E402

from healthkit import demo, reports  # noqa: E402
from healthkit.config import config_path  # noqa: E402
from healthkit.periods import Period  # noqa: E402
from healthkit.reports import pdfs  # noqa: E402

END = datetime(2026, 11, 23, tzinfo=UTC)
PERIODS = {"weekly": "2026-W47", "monthly": "2026-10", "quarterly": "2026-Q4"}
SIZES = (("", 1280, 1750, False), ("-dark", 1280, 1750, True), ("-phone", 390, 1700, False))
LARGEST = 300_000
"""Bytes of a picture: they are in the repository."""


def main() -> None:
    """Write every picture."""
    (HERE / "img").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        home = Path(folder) / "home"
        demo.write_demo(home, hosts=5, days=182, end=END, every="1h")
        pages, received = make(home, Path(folder))
        for name, page in pages.items():
            for suffix, width, height, dark in SIZES:
                browser.open(page.as_uri(), width=width, height=height, dark=dark)
                keep(f"{name}{suffix}", browser.picture(full=False))
            paper(name, page, Path(folder))
        browser.open((home / "reports" / "index.html").as_uri(), width=1280, height=760)
        keep("index", browser.picture(full=False))
        (Path(folder) / "mail.html").write_text(as_shown(received), encoding="utf-8")
        for suffix, width in (("", 760), ("-phone", 390)):
            browser.open((Path(folder) / "mail.html").as_uri(), width=width, height=1100)
            keep(f"mail{suffix}", browser.picture(full=False))


def make(home: Path, folder: Path) -> tuple[dict[str, Path], EmailMessage]:
    """The pages of the reports, and the weekly one's mail as it was received."""
    server = Server(folder / "server").start()
    try:
        path = config_path(home)
        path.write_text(
            f"{path.read_text()}host: reporter\nmail: {{host: localhost, port: {server.port}, ca_file: {server.ca_file}}}\n"
        )
        for week in ("2026-W43", "2026-W44", "2026-W45", "2026-W46"):
            reports.make(home, "weekly", period=week, hosts=[demo.GROUP], now=Period.parse(week).end)
        pages = {
            name: reports.make(
                home,
                name,
                period=period,
                hosts=[demo.GROUP],
                now=END,
                to=["ops@example.org"] if name == "weekly" else (),
            ).html
            for name, period in PERIODS.items()
        }
        received = message_from_string(server.messages()[0]["content"], policy=policy.default)
    finally:
        server.stop()
    return pages, received


def as_shown(message: EmailMessage) -> str:
    """The HTML of a mail with its pictures in place, as a mail program shows it."""
    body = message.get_body(("html",))
    html = str(body.get_content()) if body else ""
    for part in message.walk():
        if part.get_content_type() == "image/png":
            data = base64.b64encode(part.get_content()).decode()
            html = html.replace(f"cid:{str(part['Content-ID'])[1:-1]}", f"data:image/png;base64,{data}")
    return html


def paper(name: str, page: Path, folder: Path) -> None:
    """The first sheet of the page as it prints."""
    (folder / "page.pdf").write_bytes(pdfs.pdf(page.read_text(encoding="utf-8")))
    command = ["pdftoppm", "-png", "-r", "80", "-f", "1", "-l", "1", "-singlefile", "page.pdf", "page"]
    subprocess.run(command, cwd=folder, check=True)
    keep(f"{name}-paper", (folder / "page.png").read_bytes())


def keep(name: str, picture: bytes) -> None:
    """Write a picture, if it is no larger than it may be."""
    if len(picture) > LARGEST:
        raise SystemExit(f"{name}: {len(picture)} bytes, more than {LARGEST}")
    (HERE / "img" / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
