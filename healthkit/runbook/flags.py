"""The flags, and what answers each.

Exit codes: 0 the work was done, whatever it found; 1 it failed; 64 usage; 78 the configuration cannot be used. argparse,
because a score that is asked for within a second should not wait for the import of anything larger.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from healthkit.errors import HealthkitError, ParameterError

_ANSWERS = {
    "full_check": "answers",
    "quick_check": "answers",
    "quick_score": "answers",
    "send_alert": "messages",
    "send_report": "messages",
    "comprehensive_report": "documents",
    "performance_analysis": "documents",
    "security_check": "documents",
    "recommendations": "documents",
    "analyze_performance": "measurements",
    "test_restore": "restores",
    "install_shim": "shims",
}
"""Module of this package whose function of the flag's name answers it: `(home, asked) -> exit code`."""


class _Parser(argparse.ArgumentParser):
    """Ends as every other command of healthkit does when it is called wrongly."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(ParameterError.exit_code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer a command line of the old scripts.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):  # cron's locale may know no UTF-8; half an answer is worse than \N{...}
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format="healthkit: %(message)s", stream=sys.stderr)
    try:
        asked = _parser().parse_args(arguments)
        flag = next(name for name in _ANSWERS if getattr(asked, name) not in (None, False))
        return _answer(flag, asked)
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except HealthkitError as error:
        sys.stderr.write(f"healthkit: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"healthkit: {error}\n")
        return 1


def _answer(flag: str, asked: argparse.Namespace) -> int:
    from healthkit.config import home

    module = import_module(f"healthkit.runbook.{_ANSWERS[flag]}")
    code: int = getattr(module, flag)(home(asked.home), asked)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m healthkit.runbook",
        description="The flags of the runbook's old command line; one of these at a time.",
        allow_abbrev=False,
    )
    one = parser.add_mutually_exclusive_group(required=True)
    for flag, text in _SWITCHES.items():
        one.add_argument(flag, action="store_true", help=text)
    for flag, (name, text) in _WITH_PATH.items():
        one.add_argument(flag, metavar=name, type=Path, help=text)
    parser.add_argument("--home", metavar="DIR", help="directory of everything [default: $HEALTHKIT_HOME]")
    parser.add_argument("--output-format", choices=["json", "text"], default="text", help="with --full-check")
    parser.add_argument("--message", metavar="TEXT", default="", help="with --send-alert: what to say")
    parser.add_argument("--severity", choices=["info", "warning", "high", "critical"], default="warning",
                        help="with --send-alert [warning]")  # fmt: skip
    parser.add_argument("--incident-id", metavar="ID", default="", help="with --send-alert: what it belongs to")
    parser.add_argument("--recipients", metavar="A,B", default="", help="with --send-report: addresses")
    parser.add_argument("--week", action="store_true", help="with --performance-analysis: the last seven days [always]")
    parser.add_argument("--dry-run", action="store_true", help="with --test-restore: no difference, it only ever reads")
    return parser


_SWITCHES = {
    "--full-check": "all checks and the score, kept and alerted on",
    "--quick-check": "the checks of what a service needs to run at all",
    "--quick-score": "one JSON number: the score of the last full check, of a new one where there is none",
    "--send-alert": "say something through every transport",
    "--comprehensive-report": "Markdown: score, coverage, lost points, findings",
    "--performance-analysis": "Markdown: score, response time and resources of the last seven days; kept as JSON too",
    "--security-check": "Markdown: what the security checks found, and what changed",
    "--recommendations": "Markdown: what to do, worst first",
}
_WITH_PATH = {
    "--send-report": ("FILE", "mail a file to --recipients"),
    "--analyze-performance": ("FILE", "judge a metrics file of a day, and keep its values as samples"),
    "--test-restore": ("DIR", "restore the backup in DIR into a private folder and prove it"),
    "--install-shim": ("DIR", "write DIR/tools/health_checker/cli.py, which calls this"),
}
