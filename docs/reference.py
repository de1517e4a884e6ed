"""Write the reference pages again, from the code that they are about: configuration, metrics, commands.

python docs/reference.py

`tests/test_reference.py` holds the pages equal to what this writes.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import msgspec

HERE = Path(__file__).parent
MADE = "<!-- Made by `python docs/reference.py`: change the code instead. -->\n"


def pages() -> dict[str, str]:
    """Every page: file name and text."""
    return {"configuration.md": configuration(), "metrics.md": metrics(), "commands.md": commands()}


def configuration() -> str:
    """Every key of healthkit.yaml: type, default, meaning."""
    from healthkit import config

    meanings = _attribute_docstrings(inspect.getsource(config))
    lines = [
        "# Configuration", "", MADE,
        "`HOME/config/healthkit.yaml`. Every key is optional; an unknown key or a wrong type stops every command with exit",
        "code 78, naming key, file and line. `healthkit init` writes the file with comments, `healthkit config check` reads it,",
        "`healthkit config show` prints what applies.", "",
    ]  # fmt: skip
    own = [field for field in msgspec.structs.fields(config.Config) if not _structs(field.type)]
    lines += ["## Of the whole file", "", *_table(config.Config, own, meanings, "")]
    for field in msgspec.structs.fields(config.Config):
        for kind in _structs(field.type):
            lines += _section(kind, field.name + _many(field.type), meanings)
    return "\n".join(lines)


def metrics() -> str:
    """Every metric that a collector measures."""
    from healthkit import collectors

    lines = [
        "# Metrics", "", MADE,
        "Names end in their base unit; `_total` is a counter, which `load` returns as a rate per second. The *device* is the",
        "disk, mount, network card, service or program that a sample is about.", "",
    ]  # fmt: skip
    for module in sorted(m.name for m in pkgutil.iter_modules(collectors.__path__)):
        found = getattr(import_module(f"healthkit.collectors.{module}"), "METRICS", ())
        if not found:
            continue
        about = (import_module(f"healthkit.collectors.{module}").__doc__ or "").strip().partition("\n")[0]
        rows = [(f"`{m.name}`", m.kind, m.unit or "-", m.help) for m in sorted(found, key=lambda m: m.name)]
        lines += [f"## {module}", "", about, "", *_rows(("metric", "kind", "unit", "what"), rows), ""]
    return "\n".join(lines)


def commands() -> str:
    """What `--help` says of every command."""
    from healthkit.cli.main import commands as group

    lines = ["# Commands", "", MADE]
    lines += ["What `--help` says. Exit codes: see the [README](../README.md#exit-codes).", ""]
    for names, command in _walk(group, ("healthkit",)):
        # With the settings of the group, as they are inherited when it is called: click keeps the option that it made first.
        context = click.Context(command, info_name=" ".join(names), terminal_width=110, **group.context_settings)
        title = " ".join(names)
        lines += [f"{'#' * min(len(names) + 1, 4)} {title}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)


def _walk(command: click.Command, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield names, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _walk(found, (*names, name))


def _section(kind: type[msgspec.Struct], path: str, meanings: dict[str, str]) -> list[str]:
    """A struct as a heading and a table; the structs in it follow."""
    about = (kind.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
    fields = msgspec.structs.fields(kind)
    lines = [f"## `{path}`", "", re.sub(r"\s+", " ", about), "", *_table(kind, fields, meanings, path)]
    for field in fields:
        for inner in _structs(field.type):
            lines += _section(inner, f"{path}.{field.name}{_many(field.type)}", meanings)
    return lines


def _table(kind: type, fields: Any, meanings: dict[str, str], path: str) -> list[str]:
    rows = []
    for field in fields:
        nested = _structs(field.type)
        shown = f"see `{path}.{field.name}`" if nested else f"`{_type(field.type)}`"
        rows.append((f"`{field.name}`", shown, _default(field), meanings.get(f"{kind.__name__}.{field.name}", "")))
    return [*_rows(("key", "type", "default", "meaning"), rows), ""]


def _rows(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    cells = [heads, ("---",) * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def _structs(kind: Any) -> list[type[msgspec.Struct]]:
    """The structs in a type: one, or those that a tuple or an option holds."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in typing.get_args(kind) for found in _structs(part)]


def _many(kind: Any) -> str:
    """`[]` after the key of a list, `.NAME` after that of a mapping."""
    origin = typing.get_origin(kind)
    return "[]" if origin is tuple else ".NAME" if origin in (dict, typing.get_origin(dict[str, str])) else ""


def _type(kind: Any) -> str:
    """A type as people write it."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return " or ".join(map(str, parts))
    if origin is typing.Annotated:
        return _bounded(parts[0], parts[1])
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"mapping of names to {_type(parts[1])}"
    if parts:
        return " or ".join(dict.fromkeys(_type(part) for part in parts))
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "NoneType": "null"}
    return names.get(kind.__name__, kind.__name__.lower())


def _bounded(kind: Any, meta: msgspec.Meta) -> str:
    words = [
        f"{word} {value:g}" for word, value in (("≥", meta.ge), (">", meta.gt), ("≤", meta.le)) if value is not None
    ]
    return " ".join([_type(kind), *words])


def _default(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        value = field.default
        if isinstance(value, msgspec.Struct):
            return ""
        return f"`{_yaml(value)}`"
    if field.default_factory is not msgspec.NODEFAULT:
        return (
            "the host name"
            if field.name == "host"
            else ""
            if issubclass(field.default_factory, msgspec.Struct)
            else "`[]`"
        )
    return "required"


def _yaml(value: Any) -> str:
    from healthkit.config import Duration, Size

    if isinstance(value, Duration):
        size, unit = max((s, u) for u, s in Duration.UNITS.items() if u != "w" and (value % s == 0))
        return f"{value / size:g}{unit}"
    if isinstance(value, Size):
        return f"{value / 1024**3:g}GiB"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return (
        "[" + ", ".join(map(_yaml, value)) + "]"
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value) or '""'
    )


def _attribute_docstrings(source: str) -> dict[str, str]:
    """`Class.field`: the text below each field."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for field, text in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    name = f"{node.name}.{ast.unparse(field.target)}"
                    found[name] = re.sub(r"\s+", " ", str(text.value.value)).strip()
    return found


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text.rstrip() + "\n", encoding="utf-8")
