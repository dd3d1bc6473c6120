"""Reading text files of strangers: encodings, line ends, and the one kind of error a user sees."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from corpus.formats.found import InvalidRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_TOKEN_CHARS = 10_000
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


class DatasetError(ValueError):
    """A data set that cannot be read; the message is one line: file, line, what is wrong, what to do."""


def read_lines(path: Path) -> list[str]:
    r"""Return the lines of a UTF-8 file without their ends (`\n` or `\r\n`, nothing else ends a line).

    Raises:
        DatasetError: The file is missing, empty or not UTF-8.
    """
    data = _read(path).removeprefix(codecs.BOM_UTF8)
    if data.startswith(_UTF16_MARKS):
        raise DatasetError(f"{path}: the file is UTF-16: convert it, e.g. iconv -f UTF-16 -t UTF-8 OLD > NEW")
    if not data.strip():
        raise DatasetError(f"{path}: the file is empty: give a file with at least one annotated sentence")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path}:{line}: {bad_bytes(data[error.start : error.start + 2])}") from None
    return [line.removesuffix("\r") for line in text.split("\n")]


def check_characters(text: str, path: Path, line: int) -> None:
    """Refuse lone surrogates, control characters and words so long that the file cannot be meant.

    Raises:
        DatasetError: With the place and what to do.
    """
    try:
        check_text(text)
    except InvalidRecord as error:
        raise DatasetError(f"{path}:{line}: {error}") from None


def check_text(text: str) -> None:
    """Refuse what `check_characters` refuses, without a place.

    Raises:
        InvalidRecord: With what to do.
    """
    found = _SURROGATE.search(text)
    if found is not None:
        raise InvalidRecord(
            f"a lone surrogate (U+{ord(found[0]):04X}) is no character: write the file again as UTF-8, or replace it by U+FFFD",
            "surrogate",
        )
    found = _CONTROL.search(text)
    if found is not None:
        raise InvalidRecord(
            f"a control character (U+{ord(found[0]):04X}): is this a text file? Remove the character", "control"
        )
    if len(text) > MAX_TOKEN_CHARS:
        longest = max(map(len, text.split()), default=0)
        if longest > MAX_TOKEN_CHARS:
            raise InvalidRecord(
                f"one word of {longest:,} characters (at most {MAX_TOKEN_CHARS:,} are taken): "
                "remove it, or separate its words by spaces",
                "long word",
            )


def blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the first line, lines) of each run of non-blank lines."""
    block: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.strip(" \t"):
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []
    if block:
        yield len(lines) - len(block) + 1, block


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file: check the path") from None
    except IsADirectoryError:
        raise DatasetError(f"{path}: is a folder: name the file in it") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}): check its permissions") from None


def bad_bytes(found: bytes) -> str:
    """Return what is wrong with bytes that are not UTF-8, and what to do."""
    if len(found) == 2 and found[0] == 0xED and found[1] >= 0xA0:
        return "a lone surrogate written as bytes is not UTF-8: write the file again as UTF-8"
    return (
        f"byte 0x{found[0]:02x} is not UTF-8: convert the file from its own encoding, "
        "e.g. iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
    )
