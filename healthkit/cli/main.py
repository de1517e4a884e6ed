"""The group of all commands: every module in this folder with a `command` is one.

Exit codes: 0 the work was done, 1 it failed, 64 usage or parameters, 75 made but mail is queued, 78 configuration;
`check` and `run` answer like Nagios plug-ins: 0, 1 warning, 2 critical, 3 unknown. Data goes to stdout, words to stderr.
Source of 64, 75 and 78: sysexits.h(3head).
"""

from __future__ import annotations

import logging
import pkgutil
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

import healthkit
from healthkit.errors import HealthkitError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Commands(click.Group):
    """Finds the commands in this folder; a module is imported when its command is listed or called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all commands."""
        here = import_module("healthkit.cli")
        found = (module.name for module in pkgutil.iter_modules(here.__path__))
        return sorted(name.strip("_") for name in found if name not in _NOT_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"healthkit.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command


_NOT_COMMANDS = {"main", "notifying", "options", "output", "progress", "resident"}
_MODULES = {"import": "import_"}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(healthkit.__version__, prog_name="healthkit")
@click.option("--verbose", "-v", is_flag=True, help="Say more on stderr.")
def commands(*, verbose: bool) -> None:
    """Honest health reports for servers."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="healthkit: %(message)s", stream=sys.stderr
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Returns:
        The exit code.
    """
    try:
        result = commands.main(arguments, prog_name="healthkit", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        error.show(sys.stderr)
        return ParameterError.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except HealthkitError as error:
        click.echo(f"healthkit: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:  # `healthkit show … | head` is no failure
        sys.stderr.close()
        return 0
    except OSError as error:
        click.echo(f"healthkit: {error}", err=True)
        return 1
    return result if isinstance(result, int) else 0
