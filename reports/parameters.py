"""Parameters of a notebook: what it knows, and whether what was given fits, before any cell runs.

A parameter is text, a number or a switch. papermill itself only warns about an unknown name and runs `days=notanint`.
A secret is given by reference, `env:NAME` or `file:PATH`; the reference is all that the executed notebook shows.
"""

from __future__ import annotations

import ast
import io
import math
import os
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from healthkit.config import read_secret
from healthkit.errors import ParameterError

Kind = Literal["text", "integer", "number", "switch", "any"]
Value = str | int | float | bool

_SECRET = re.compile(r"token|passw|secret|(?:^|_|api)keys?(?:$|_)", re.IGNORECASE)
_ANNOTATIONS: dict[str, Kind] = {"str": "text", "int": "integer", "float": "number", "bool": "switch"}
_ARTICLE = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "switch": "true or false",
    "any": "text or a number",
}
_SWITCHES = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A name that the notebook's cell tagged `parameters` assigns."""

    name: str
    kind: Kind
    """From the annotation, else from the default; `any` where neither tells."""
    default: str
    """Python source of the default."""
    help: str
    """The comment behind it."""
    secret: bool
    """By its name (token, password, secret, key) or the word `secret` in its comment: given by reference only."""


def infer(notebook: Any) -> dict[str, Parameter]:
    """The parameters of a notebook, in order; none if no cell is tagged `parameters`.

    Args:
        notebook: An `nbformat` notebook, version 4. In Python the cell's own syntax tells names, types and comments;
            in other languages papermill's inspection does.
    """
    cell = next((cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())), None)
    if cell is None:
        return {}
    if notebook.metadata.get("kernelspec", {}).get("language", "python") == "python":
        return _infer_python(cell.source)
    from papermill import inspect_notebook

    found = inspect_notebook(notebook).values()
    kinds = {p["name"]: _ANNOTATIONS.get(p["inferred_type_name"], "any") for p in found}
    return {p["name"]: _parameter(p["name"], kinds[p["name"]], p["default"], p["help"]) for p in found}


def check(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Value]:
    """The given values in the types that the notebook expects; text such as `-p days 7` is converted.

    Raises:
        ParameterError: A name is unknown, a value does not fit, or a secret was given as such. The value of a secret
            is never part of the message.
    """
    return {name: _convert(_known(known, name), value) for name, value in given.items()}


def reveal(reference: str) -> str:
    """The secret behind `env:NAME` or `file:PATH` (0600, first line).

    Raises:
        ParameterError: It is no reference, or the variable is not set.
        ConfigError: The file cannot be read, or others may read it.
    """
    place, _, name = reference.partition(":")
    if place == "env" and name:
        if name not in os.environ:
            raise ParameterError(f"environment variable {name} is not set")
        return os.environ[name]
    if place == "file" and name:
        return read_secret(Path(name))
    raise ParameterError("a secret is given as env:NAME or file:PATH, never as such")


def lookup(reference: str) -> str:
    """Python source that looks a secret up, for a kernel that may know nothing of healthkit."""
    place, _, name = reference.partition(":")
    if place == "env":
        return f"os.environ[{name!r}]"
    return f'pathlib.Path({name!r}).read_text(encoding="utf-8").partition("\\n")[0]'


def _known(known: Mapping[str, Parameter], name: str) -> Parameter:
    if name not in known:
        names = ", ".join(known) or "none: no cell is tagged `parameters`"
        raise ParameterError(f"unknown parameter {name!r}; the notebook knows {names}")
    return known[name]


def _convert(parameter: Parameter, value: Any) -> Value:
    if parameter.secret:
        if not isinstance(value, str) or not re.match(r"(env|file):.", value):
            raise ParameterError(f"parameter {parameter.name} is a secret: write env:NAME or file:PATH, not the value")
        reveal(value)
        return value
    converted = _fit(parameter.kind, value)
    if converted is None:
        raise ParameterError(f"parameter {parameter.name} is {_ARTICLE[parameter.kind]}, not {value!r}")
    return converted


def _fit(kind: Kind, value: Any) -> Value | None:
    """The value as this kind, or None if it is not one. Text is read as a command line gives it."""
    if isinstance(value, str):
        return value if kind in {"text", "any"} else _read(kind, value.strip())
    if isinstance(value, bool):
        return value if kind in {"switch", "any"} else None
    if not isinstance(value, int | float) or not math.isfinite(value) or kind in {"text", "switch"}:
        return None
    if kind == "integer":
        return value if isinstance(value, int) else None
    return float(value) if kind == "number" else value


def _read(kind: Kind, text: str) -> Value | None:
    if kind == "switch":
        return _SWITCHES.get(text.lower())
    try:
        number = int(text) if kind == "integer" else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _infer_python(source: str) -> dict[str, Parameter]:
    """Parameters of a Python cell: its plain assignments.

    Raises:
        ParameterError: The cell is no Python.
    """
    try:
        body = ast.parse(source).body
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, tokenize.TokenError) as error:
        raise ParameterError(f"the cell tagged `parameters` cannot be read: {error}") from error
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    found = {}
    for node in body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and node.value:
            annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            kind = _ANNOTATIONS.get(annotation) or _kind(node.value)
            text = comments.get(node.end_lineno or 0, "")
            found[target.id] = _parameter(target.id, kind, ast.unparse(node.value), text)
    return found


def _kind(default: ast.expr) -> Kind:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return "any"
    return _ANNOTATIONS.get(type(value).__name__, "any")


def _parameter(name: str, kind: Kind, default: str, text: str) -> Parameter:
    secret = bool(_SECRET.search(name) or re.search(r"\bsecret\b", text, re.IGNORECASE))
    return Parameter(name, kind, default, text, secret)
