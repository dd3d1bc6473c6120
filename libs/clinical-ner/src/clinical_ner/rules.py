"""A set of rules as it is released: the tables of phrases in one file of plain JSON, named by its digest.

No service opens one before its digest was checked, and opening runs no code of it: it is text, read line by line.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from clinical_ner.meaning import Reader
from clinical_ner.phrases import OPTIONAL_TABLES, TABLE_NAMES, TableInvalid, Tables, parse_tables, read_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 1 << 20
"""Of one file: more than ten times the shipped tables."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Tables that native code was seen to take.

    Attributes:
        data: The file that is registered.
    """

    tables: Tables = field(repr=False)
    data: bytes = field(repr=False)

    @property
    def version(self) -> str:
        """The `rules_version` of what is read with them by this program."""
        return self.tables.version

    @property
    def sha256(self) -> str:
        """The digest of the file, in lower-case hex."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def texts(self) -> Mapping[str, str]:
        """Each table as it is written, by its file's name."""
        return _texts(self.data)


@cache
def shipped_rules() -> Rules:
    """The rules that come with this program."""
    return _made(read_files())


def read_rules(path: Path) -> Rules:
    """Read rules from a folder of the tables, or from the file that was registered.

    Raises:
        TableInvalid: They cannot be used; one line that names file and line.
    """
    if path.is_dir():
        return _made(read_files(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableInvalid(f"{path}: cannot be read: {error.strerror}") from None
    return open_rules(data)


def open_rules(data: bytes, sha256: str | None = None) -> Rules:
    """Open a registered file, after its digest was found right if one is given.

    Raises:
        TableInvalid: It is another one, or cannot be used; one line that says why.
    """
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise TableInvalid("the digest of the rules is not the registered one")
    return _made({name: text.encode() for name, text in _texts(data).items()})


def _texts(data: bytes) -> dict[str, str]:
    _check_size(len(data))
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise TableInvalid(
            "the file of rules is no JSON: give a folder of tables, or a file that was released"
        ) from None
    texts: dict[str, str] = found if isinstance(found, dict) else {}
    if texts.keys() | OPTIONAL_TABLES != set(TABLE_NAMES) or not all(map(_is_text, texts.values())):
        raise TableInvalid(f"the file of rules must hold {', '.join(TABLE_NAMES)}, each as text")
    return texts


def _is_text(value: object) -> bool:
    """JSON can hold halves of characters that no file can."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _made(contents: Mapping[str, bytes]) -> Rules:
    _check_size(sum(map(len, contents.values())))
    tables = parse_tables(contents)
    Reader(tables)
    ordered = {name: contents[name].decode() for name in TABLE_NAMES if name in contents}
    data = json.dumps(ordered, ensure_ascii=False, indent=0).encode()
    _check_size(len(data))
    return Rules(tables, data)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise TableInvalid(f"the rules are larger than {MAX_BYTES // 1024} KB")
