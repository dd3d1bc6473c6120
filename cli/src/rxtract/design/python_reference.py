"""The reference page of the Python package, from its docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOMS = (
    ("rxtract_tagger", ("Tagger", "ModelIdentity", "FoundNotes", "FoundNote", "Found", "BadRow")),
    ("rxtract_tagger.local", ("tag_parquet", "parquet_files", "Outcome", "Progress")),
    ("rxtract_tagger.spark", ("tag_notes", "refused_notes")),
    ("rxtract_tagger.arrow", ("tag_batch", "Reading", "Tagged", "LakeError")),
)
HEAD = """# Python

Generated from the docstrings of `libs/tagger`; do not edit. The guide is [Data scientist](../guides/data-scientist.md), for tables of old notes
[Old notes of a lake](../guides/lake.md).

```python
from rxtract_tagger import Tagger

note = Tagger.open().tag("k/c/o T2DM, no h/o asthma. Started tab metformin 500 mg BD")
```

"""
SECTIONS = ("Args", "Attributes", "Returns", "Raises")


def source() -> str:
    """Return the page."""
    return HEAD + "\n".join(line for module, names in ROOMS for line in _room(module, names)) + "\n"


def _room(module: str, names: tuple[str, ...]) -> Iterator[str]:
    found = importlib.import_module(module)
    yield f"## {module}\n"
    for name in names:
        yield from _thing(getattr(found, name), name)


def _thing(thing: Any, name: str) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"```text\n{name}{_signature(thing)}\n```\n"
    yield _words(thing)
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            if not member.startswith("_") and (words := _member(name, member, value)):
                yield words


def _member(owner: str, name: str, value: Any) -> str:
    called = value.__func__ if isinstance(value, classmethod) else value
    if isinstance(called, property):
        return f"**`.{name}`**: {_words(called)}"
    if not inspect.isfunction(called):
        return ""
    place = owner if isinstance(value, classmethod) else ""
    return f"**`{place}.{name}{_signature(called)}`**: {_words(called)}"


def _signature(thing: Any) -> str:
    try:
        shown = str(inspect.signature(thing))
    except (TypeError, ValueError):
        return ""
    shown = re.sub(r"<factory>|<object [^>]*>|<function \w+ at [^>]*>", "...", shown)
    return re.sub(r"\((self|cls)(, )?", "(", shown).replace("'", "")


def _words(thing: Any) -> str:
    """A docstring as Markdown: its sections as lists."""
    lines, section = [], ""
    for line in inspect.cleandoc(thing.__doc__ or "").splitlines():
        if line.rstrip(":") in SECTIONS and line.endswith(":"):
            section = line.rstrip(":")
            lines.append(f"*{section}*\n")
        elif section and line.startswith("        "):
            lines[-1] += f" {line.strip()}"
        elif section and line.startswith("    "):
            lines.append(re.sub(r"^([\w, ]+): ", r"- `\1`: ", line.strip()))
        else:
            section = "" if line else section
            lines.append(line)
    return "\n".join(lines).rstrip() + "\n"
