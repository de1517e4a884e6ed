"""A page on paper, printed by an installed Chromium without any access to the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from healthkit.errors import ReportError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT = 120.0
"""Seconds that printing may take."""
_FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


def browser() -> str:
    """Path of the browser that prints.

    Raises:
        ReportError: None is installed.
    """
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise ReportError(f"no browser to print a PDF with: install one of {', '.join(PROGRAMS)}")
    return found


def pdf(html: str) -> bytes:
    """The page as it prints, A4.

    Raises:
        ReportError: There is no browser, or it did not print.
    """
    program = browser()
    with tempfile.TemporaryDirectory(prefix="healthkit-pdf-", ignore_cleanup_errors=True) as folder:
        page, paper = Path(folder) / "page.html", Path(folder) / "page.pdf"
        page.write_text(html, encoding="utf-8", errors="replace")
        # Its sandbox refuses to run as root; the page has no script, and the browser no network.
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [
            program,
            *_FLAGS,
            *root,
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={paper}",
            page.as_uri(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired as error:
            raise ReportError(f"{program} did not print the page within {TIMEOUT:g} s") from error
        if not paper.exists():
            raise ReportError(f"{program} did not print the page: {done.stderr.strip()[-300:] or done.returncode}")
        return paper.read_bytes()
