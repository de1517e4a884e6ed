"""Make the pictures in docs/img again: the simulated fleet's report in a real Chromium.

python docs/pictures.py
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Browser  # noqa: E402 - the tests' browser, found by the line above

from healthkit import demo, reports  # noqa: E402
from healthkit.periods import Period  # noqa: E402

END = datetime(2026, 11, 23, tzinfo=UTC)
SHOTS = (("weekly", 1280, 1750, False), ("weekly-dark", 1280, 1750, True), ("weekly-phone", 390, 1700, False))


def main() -> None:
    """Write every picture."""
    (HERE / "img").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        home = Path(folder)
        demo.write_demo(home, hosts=5, days=70, end=END, every="30min")
        for week in ("2026-W45", "2026-W46", "2026-W47"):
            now = Period.parse(week).end.replace(hour=2)
            page = reports.make(home, "weekly", period=week, now=now).html
        for name, width, height, dark in SHOTS:
            browser.open(page.as_uri(), width=width, height=height, dark=dark)
            (HERE / "img" / f"{name}.png").write_bytes(browser.picture(full=False))
        browser.open((home / "reports" / "index.html").as_uri(), width=1280, height=420)
        (HERE / "img" / "index.png").write_bytes(browser.picture(full=False))


if __name__ == "__main__":
    main()
