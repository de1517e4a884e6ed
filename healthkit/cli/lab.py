"""`healthkit lab`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from healthkit.cli import options

TUTORIAL = "explore.ipynb"


@click.command("lab")
@click.option("--port", type=click.IntRange(0, 65535), default=8888, show_default=True, help="0: any free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@options.home
def command(*, port: int, no_browser: bool, home: Path) -> None:
    """Open JupyterLab on the home, with a kernel that has healthkit and knows the home.

    The tutorial is put into HOME/notebooks, unless it is there already. The server listens on this machine alone, and
    asks for the token in the address that it prints.
    """
    from healthkit.errors import ConfigError

    if find_spec("jupyterlab") is None:  # a host that only collects
        raise ConfigError("JupyterLab is not installed: pip install jupyterlab")
    _tutorial(home)
    words = [
        f"--ServerApp.root_dir={home}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url=/lab/tree/notebooks/{TUTORIAL}",
        *(["--no-browser"] if no_browser else []),
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]
    sys.stdout.flush()
    # Jupyter's own Python kernel runs the interpreter of its server: this one, whatever PATH says.
    arguments = [sys.executable, "-m", "jupyterlab", *words]
    os.execve(sys.executable, arguments, os.environ | {"HEALTHKIT_HOME": str(home)})  # noqa: S606 - no shell is wanted


def _tutorial(home: Path) -> None:
    from importlib.resources import files

    from healthkit.files import write_atomically

    path = home / "notebooks" / TUTORIAL
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, files("healthkit.notebooks").joinpath(TUTORIAL).read_bytes())
