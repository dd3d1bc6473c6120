"""The reference page of settings, made from their classes: ``python -m runtime.service.settings_reference ingestor.settings ...``."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from runtime.service.settings import KafkaSecurity, ServiceSettings, variable_name

_HEAD = """# Settings

Generated from the Settings classes; do not edit. Every setting is an environment variable; an empty one counts as unset. A variable
that is missing or wrong ends the start with one line that names it, and exit code 2. An `RXTRACT_` variable that no service and no
command reads is named in the log at the start, with the one that is like it; one that is almost a setting of the service itself, which
is not set, ends the start the same way. What is marked secret belongs into a
secret store; for a file that is its content. The command line reads the variables of the first table too, and the addresses and the
topic prefix of the second, which win over `stack.json`.
"""
_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", SecretStr: "text"}
_SIGNS = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}
_LAYERS: tuple[tuple[str, type[KafkaSecurity]], ...] = (
    ("Security of Kafka clients: every service and the command line", KafkaSecurity),
    ("Every service", ServiceSettings),
)


def markdown(services: Iterable[type[ServiceSettings]]) -> str:
    """One Markdown page: a table for what services share, then one for each service's own."""
    listed = sorted(services, key=lambda one: one.service)
    parts, described = [_HEAD], set[str]()
    for title, layer in [*_LAYERS, *_shared(listed)]:
        users = ", ".join(one.service for one in listed if issubclass(one, layer)) if title.endswith(": ") else ""
        parts.append(f"\n## {title}{users}\n\n{_table(layer, described)}")
        described |= set(layer.model_fields)
    parts += [f"\n## {one.service}\n\n{_table(one, described)}" for one in listed]
    return "".join(parts)


def _shared(services: Sequence[type[ServiceSettings]]) -> list[tuple[str, type[ServiceSettings]]]:
    """The layers between every service's and a service's own, the widest first; their docstrings name them."""
    layers = {
        layer: None
        for service in services
        for layer in reversed(service.__mro__)
        if issubclass(layer, ServiceSettings) and layer is not ServiceSettings and layer not in services
    }
    return [(_title(layer), layer) for layer in layers]


def _title(layer: type[ServiceSettings]) -> str:
    first = (layer.__doc__ or "").splitlines()[0]
    return first.removeprefix("The settings of a service").rstrip(".").join(("Each service", ": "))


def settings_of(modules: Sequence[str]) -> list[type[ServiceSettings]]:
    """The Settings class that each module defines."""
    return [
        value
        for name in modules
        for value in vars(import_module(name)).values()
        if isinstance(value, type) and issubclass(value, ServiceSettings) and value.__module__ == name
    ]


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is marked as a secret."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("secret"))


def _table(settings: type[KafkaSecurity], described: set[str]) -> str:
    rows = ["| Variable | Type | Default | Secret | Meaning |", "|---|---|---|---|---|"]
    rows += [
        f"| `{variable_name(name)}` | {_kind(field)} | {_default(field)} | {'yes' if is_secret(field) else '-'} | {field.description} |"
        for name, field in settings.model_fields.items()
        if name not in described
    ]
    return "\n".join(rows) + "\n"


def _kind(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) in {Union, UnionType}:
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    bounds = [
        f"{sign} {getattr(one, word.__name__.lower())}"
        for one in field.metadata
        for word, sign in _SIGNS.items()
        if isinstance(one, word)
    ]
    return " ".join([_NAMES[kind], ", ".join(bounds)]).strip()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None:
        return "the host's name"
    if field.default in (None, ""):
        return "-"
    home = str(Path.home())
    shown = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    return f"`{shown.replace(home, '~', 1) if shown.startswith(home) else shown}`"


if __name__ == "__main__":
    sys.stdout.write(markdown(settings_of(sys.argv[1:])))
