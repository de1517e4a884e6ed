"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from healthkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from zoneinfo import ZoneInfo


def home(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--home DIR`, else $HEALTHKIT_HOME, else the system's place: handed on as a `Path`."""

    def resolve(_: click.Context, __: click.Parameter, value: str | None) -> Path:
        from healthkit import config

        return config.home(value)

    return click.option(
        "--home", metavar="DIR", callback=resolve, help="Directory of everything [default: $HEALTHKIT_HOME]."
    )(function)


def store_home(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--home` of commands that need samples only: a `Path`, or the URL of a bucket."""

    def resolve(_: click.Context, __: click.Parameter, value: str | None) -> Path | str:
        from healthkit import config

        return config.store_home(value)

    return click.option(
        "--home", metavar="DIR|URL", callback=resolve, help="Directory or bucket of samples [default: $HEALTHKIT_HOME]."
    )(function)


def format_(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--format table|json`, handed on as `format_`."""
    return click.option(
        "--format", "-f", "format_", type=click.Choice(["table", "json"]), default="table", help="Form of the output."
    )(function)


class DurationType(click.ParamType[float]):
    """`90s`, `5m`, `1h`, `30d`, `2w`, handed on as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; a wrong text is a usage error."""
        from healthkit.config import Duration

        if isinstance(value, float):
            return value
        try:
            return Duration.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def moment(text: str) -> datetime:
    """A time as people write it: ISO 8601, UTC where it names no zone.

    Raises:
        ParameterError: It is none.
    """
    from datetime import UTC, datetime

    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(f"{text!r} is not a time: write 2026-11-23T22:00Z") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def user() -> str:
    """Who calls; empty for a user id without a name."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def parse_quantity(text: str) -> float:
    """A limit as people write it: `0.85`, `85%`, `200GiB`, `1.5s`.

    Raises:
        ParameterError: It is none of these.
    """
    from healthkit.config import Duration, Size

    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        if text.endswith("B"):
            return float(Size.parse(text))
        if text[-1:] in "smhdw" and text:
            return float(Duration.parse(text))
        return float(text)
    except ValueError as error:
        raise ParameterError(f"{text!r} is not a quantity: write 0.85, 85%, 200GiB or 5s") from error


def parse_timezone(name: str) -> ZoneInfo:
    """A zone by its name in the time-zone database.

    Raises:
        ParameterError: There is none of that name.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ParameterError(f"unknown time zone {name!r}: write one such as Europe/Berlin") from error
