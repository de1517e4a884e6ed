"""`--install-shim DIR`: the module that the old scripts call, which hands everything on to healthkit.

With DIR on PYTHONPATH, `python -m tools.health_checker.cli` of any Python finds it; the interpreter that has healthkit is
written into it. `DIR/bin/python` is for hosts without a command of that name, such as Debian: put `DIR/bin` on PATH.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ParameterError
from healthkit.files import write_atomically

if TYPE_CHECKING:
    from argparse import Namespace

MARKER = "healthkit's shim: this file is generated"
_MODULE = '''\
"""{marker}. It hands the flags of the old command line on to healthkit."""

import os
import sys

PYTHON = {python!r}
os.environ.setdefault("HEALTHKIT_HOME", {home!r})
os.execv(PYTHON, [PYTHON, "-I", "-m", "healthkit.runbook"] + sys.argv[1:])
'''
_COMMAND = """\
#!/bin/sh
# {marker}. A `python` for scripts that call it so.
exec {python} "$@"
"""


def install_shim(home: Path, asked: Namespace) -> int:
    """Write the module and the command; a file that is not ours is left alone.

    Raises:
        ParameterError: Such a file is in the way.
        OSError: The folder cannot be written.
    """
    import shlex

    top = asked.install_shim.absolute()
    module, command = top / "tools" / "health_checker" / "cli.py", top / "bin" / "python"
    for path in (module, command):
        if path.exists() and MARKER not in path.read_text(encoding="utf-8", errors="replace"):
            raise ParameterError(f"{path} is not healthkit's: move it away, or choose another folder")
    for folder in (module.parent, command.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for package in (module.parent.parent, module.parent):  # without them another `tools` on the path would win
        if not (package / "__init__.py").exists():
            write_atomically(package / "__init__.py", "")
    text = _MODULE.format(marker=MARKER, python=sys.executable, home=str(home.absolute()))
    write_atomically(module, text)
    write_atomically(command, _COMMAND.format(marker=MARKER, python=shlex.quote(sys.executable)), mode=0o755)
    _make_folders(home)
    sys.stdout.write(f"{module}\n")
    sys.stderr.write(
        f"export PYTHONPATH={shlex.quote(str(top))}   # where `python` is missing, PATH={top}/bin:$PATH too\n"
    )
    return 0


def _make_folders(home: Path) -> None:
    """What the old scripts write into and do not make: a copy to a folder that is not there becomes a file of its name."""
    for name in ("metrics", "reports/daily", "reports/weekly", "reports/monthly", "reports/quarterly"):
        try:
            (home / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sys.stderr.write(f"healthkit: {home / name}, which the old scripts write into, cannot be made: {error}\n")
