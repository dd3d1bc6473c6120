"""The reference of the command line, from the typer application itself."""

from __future__ import annotations

from enum import Enum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import typer.main

from rxtract.app import COMMANDS, build

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# The command line

Generated from the commands; do not edit. `rxtract COMMAND --help` says the same. In a checkout it is `.venv/bin/rxtract`.
"""
NAMES = {"str": "text", "int": "number", "float": "number", "Path": "path", "bool": "switch"}


def source() -> str:
    """Return the text of docs/reference/cli.md."""
    app = typer.main.get_command(build([]))
    commands = app.commands  # type: ignore[attr-defined]
    parts, panel = [HEAD, *_contents(commands)], ""
    for command in COMMANDS:
        if command.panel != panel:
            panel = command.panel
            parts.append(f"## {panel}\n")
        parts += _command(f"rxtract {command.name}", commands[command.name])
    return "\n".join(parts)


def _contents(commands: dict[str, Any]) -> Iterator[str]:
    yield from ("| Command | Does |", "|---|---|")
    for command in COMMANDS:
        anchor = f"rxtract-{command.name}"
        yield f"| [`{command.name}`](#{anchor}) | {_sentence(commands[command.name])} |"
    yield ""


def _command(path: str, command: Any) -> Iterator[str]:
    deeper = getattr(command, "commands", {})
    yield f"{'#' * (path.count(' ') + 2)} {path}\n"
    yield f"{_help(command)}\n"
    rows = [_row(one) for one in command.params if one.name != "help"]
    if rows:
        yield "\n".join(["| Argument or option | Takes | Default | Meaning |", "|---|---|---|---|", *rows, ""])
    for name, below in deeper.items():
        yield from _command(f"{path} {name}", below)


def _row(one: Any) -> str:
    name = (
        ", ".join(f"`{word}`" for word in one.opts)
        if one.opts[0].startswith("-")
        else f"`{one.metavar or one.name.upper()}`"
    )
    default = "**required**" if one.required else _default(one.default)
    return f"| {name} | {_takes(one.type_descriptor.annotation)}{_limits(one)} | {default} | {_cell(one.help or '')} |"


def _takes(kind: Any) -> str:
    if get_origin(kind) in {Union, UnionType}:
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is list:
        return f"{_takes(get_args(kind)[0])}, repeatable"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{choice.value}`" for choice in kind)
    name = getattr(kind, "__name__", str(kind))
    return NAMES.get(name, name)


def _limits(one: Any) -> str:
    least = "" if one.min is None else f", at least {one.min:g}"
    return least + ("" if one.max is None else f", at most {one.max:g}")


def _default(value: Any) -> str:
    if value is None or value is False or value == "":
        return "-"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _help(command: Any) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))


def _sentence(command: Any) -> str:
    return _cell(_help(command).split("\n\n", maxsplit=1)[0])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
