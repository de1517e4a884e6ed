"""Collect how much public packages keep and release, day by day: real storage that moves in another way than repositories.

    python benchmarks/release_histories.py INDEX FILE

INDEX is the address of a package index whose simple API also speaks JSON (PEP 691) and tells sizes and times of upload
(PEP 700). FILE is written as tidy Parquet (series, ts, value), two series a package, in bytes: "NAME/kept", all files
uploaded until that day, which only grows, in steps; and "NAME/release", the source archive of the newest version, which
goes up and down. Uploads after `UNTIL` are left out, so that another day gives the same series, but for what was withdrawn.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

import pandas as pd
from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import InvalidVersion, Version

JSON = "application/vnd.pypi.simple.v1+json"
UNTIL = pd.Timestamp("2026-11-20", tz="UTC")
FEWEST_DAYS = 50
"""Days with an upload that a series needs."""
AT_ONCE = 3
PACKAGES = Path(__file__).with_name("release_packages.txt")
"""Names, one a line: well-known packages that are still published."""


class Upload(NamedTuple):
    """One file of a package."""

    name: str
    day: pd.Timestamp
    size: int
    """Bytes."""


def uploads(index: str, package: str) -> list[Upload]:
    """Every file of *package* with a known time and size, oldest first."""
    request = Request(f"{index.rstrip('/')}/{package}/", headers={"Accept": JSON})
    with urlopen(request, timeout=120) as answer:
        files = json.load(answer)["files"]
    known = (file for file in files if file.get("upload-time") and file.get("size"))
    found = sorted((pd.Timestamp(file["upload-time"]), file["filename"], int(file["size"])) for file in known)
    days = ((name, time.tz_convert("UTC").normalize(), size) for time, name, size in found)
    return [upload for upload in map(Upload._make, days) if upload.day <= UNTIL]


def kept(files: list[Upload]) -> pd.Series:
    """Bytes of all *files* uploaded until each day."""
    return pd.Series([file.size for file in files], [file.day for file in files], float).groupby(level=0).sum().cumsum()


def release(files: list[Upload]) -> pd.Series:
    """Bytes of the source archive of the newest version on each day it changed; older branches' versions do not count."""
    newest, sizes = Version("0"), {}
    for file in files:
        try:
            _, version = parse_sdist_filename(file.name)
        except (InvalidSdistFilename, InvalidVersion):
            continue  # a wheel, an installer, a version from before there were rules
        if version >= newest:
            newest, sizes[file.day] = version, float(file.size)
    return pd.Series(sizes, dtype=float)


def daily(sizes: pd.Series) -> pd.Series:
    """One value a day, each size held until the next."""
    return sizes.reindex(pd.date_range(sizes.index[0], UNTIL)).ffill()


def histories(index: str, packages: list[str]) -> pd.DataFrame:
    """The series of all *packages*, tidy."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        files = pool.map(lambda package: uploads(index, package), packages)
        made = {
            f"{name}/{kind.__name__}": kind(of)
            for name, of in zip(packages, files, strict=True)
            for kind in (kept, release)
        }
    long = {name: daily(sizes) for name, sizes in made.items() if len(sizes) >= FEWEST_DAYS}
    frames = (pd.DataFrame({"series": name, "ts": y.index, "value": y.to_numpy()}) for name, y in long.items())
    return pd.concat(frames, ignore_index=True)


def main() -> int:
    """Collect and write."""
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 3
    index, target = sys.argv[1], Path(sys.argv[2])
    try:
        found = histories(index, PACKAGES.read_text(encoding="utf-8").split())
    except (URLError, TimeoutError, ValueError, KeyError) as error:
        print(f"{index}: {error}: nothing written", file=sys.stderr)
        return 3
    part = target.with_suffix(".part")
    found.to_parquet(part, index=False)
    part.replace(target)
    print(f"wrote {found['series'].nunique()} series to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
