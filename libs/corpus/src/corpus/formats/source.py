"""Files of strangers as lines, JSON values and rows, read as they come: encodings, line ends, and objects in a long list."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from corpus.formats.found import InvalidRecord
from corpus.loaders_text import DatasetError, bad_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpus.formats.report import Report

_HEAD_BYTES = 1 << 16
_CHUNK = 1 << 20
MAX_RECORD_CHARS = 1 << 28
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# What UTF-8 becomes when a program took it for Windows-1252 and wrote it again.
MOJIBAKE = re.compile("[ÂÃ][\u0080-\u00bf]|â€[\u0098-\u009f™œ“”¦]|à¤|à¥")


@dataclass(frozen=True, slots=True)
class Source:
    """One file, and the encoding that its user named ("" for UTF-8, or UTF-16 with its mark)."""

    path: Path
    encoding: str = ""

    def head(self) -> bytes:
        """Return its first bytes.

        Raises:
            DatasetError: It cannot be opened.
        """
        with self.open() as file:
            return file.read(_HEAD_BYTES)

    def need_content(self) -> None:
        """Refuse an empty file.

        Raises:
            DatasetError: It is empty, or cannot be opened.
        """
        if not self.head().removeprefix(codecs.BOM_UTF8).strip():
            raise DatasetError(f"{self.path}: the file is empty: give a file with at least one annotated sentence")

    def open(self) -> IO[bytes]:
        """Open it.

        Raises:
            DatasetError: It is missing, a folder, or not to be read.
        """
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            raise DatasetError(f"{self.path}: no such file: check the path") from None
        except IsADirectoryError:
            raise DatasetError(f"{self.path}: is a folder: name the file in it") from None
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be read ({error.strerror}): check its permissions") from None

    def codec(self) -> str:
        """Return the encoding: the one that was named, that of the mark, or UTF-8."""
        if self.encoding:
            return self.encoding
        return next((name for mark, name in _UTF16.items() if self.head().startswith(mark)), "utf-8")

    def lines(self, report: Report) -> Iterator[tuple[int, str]]:
        r"""Yield (number, line) without line ends; `\n`, `\r\n` end a line, and `\r` in a file without `\n`.

        A line that is not of the encoding is noted as a fault, and left out.
        """
        codec = self.codec()
        if codec.startswith("utf-16"):
            report.say(f"{self.path.name}: is UTF-16, converted")
        with self.open() as file:
            for number, raw in enumerate(_raw_lines(file, codec), 1):
                try:
                    line = raw.decode(codec)
                except UnicodeDecodeError as error:
                    report.problem(self.path, number, bad_bytes(raw[error.start : error.start + 2]), "encoding")
                    continue
                yield number, line.removeprefix("\ufeff") if number == 1 else line

    def text(self) -> str:
        """Return all of it, line ends as they are.

        Raises:
            DatasetError: It is not of the encoding.
        """
        with self.open() as file:
            data = file.read()
        try:
            return data.decode(self.codec()).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise DatasetError(f"{self.path}:{line}: {bad_bytes(data[error.start : error.start + 2])}") from None


def _raw_lines(file: IO[bytes], codec: str) -> Iterator[bytes]:
    newline = "\n".encode(codec)
    if len(newline) == 1:
        yield from _byte_lines(file)
        return
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass")
    rest = ""
    while chunk := file.read(_CHUNK):
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (line.removesuffix("\r").encode(codec, "surrogatepass") for line in whole)
    if rest:
        yield rest.removesuffix("\r").encode(codec, "surrogatepass")


def _byte_lines(file: IO[bytes]) -> Iterator[bytes]:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if b"\n" not in head and b"\r" in head:
        yield from file.read().split(b"\r")
        return
    for raw in file:
        yield raw.removesuffix(b"\n").removesuffix(b"\r")


def parsed(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        InvalidRecord: It is none, holds a key twice, or is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InvalidRecord(f"not JSON ({error.msg}): write one complete JSON object a line", "json") from None
    except ValueError as error:
        if isinstance(error, InvalidRecord):
            raise
        raise InvalidRecord("not JSON (a number too long): write one complete JSON object a line", "json") from None
    except RecursionError:
        raise InvalidRecord("nested too deeply: write one flat JSON object a line", "deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidRecord(f"the key {twice[:20]!r} stands twice in one object: keep one", "key twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
_BLANK = " \t\r\n"


class Elements:
    """The values of a list in a JSON text that may be longer than memory."""

    def __init__(self, file: IO[bytes], codec: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(codec)()
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def after(self, key: str | None) -> Elements:
        """Go to the list: the one that the text is, or the one under a key of the object that it is.

        Raises:
            InvalidRecord: It is not there in the first megabytes.
        """
        pattern = re.compile(r"\s*\ufeff?\s*\[" if key is None else rf'"{re.escape(key)}"\s*:\s*\[')
        while not self._ended and len(self._buffer) < 1 << 22:
            self._more()
            found = pattern.match(self._buffer) if key is None else pattern.search(self._buffer)
            if found:
                self._skip_to(found.end())
                return self
        raise InvalidRecord(f"no list {'' if key is None else repr(key) + ' '}in it", "json")

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yield (line, value).

        Raises:
            InvalidRecord: A value is no JSON.
        """
        while True:
            self._skip_blanks(_BLANK + ",")
            if self._peek() in {"]", ""}:
                if not self._peek():
                    raise InvalidRecord("the JSON list has no end: the file is cut off", "json", self._line)
                return
            line = self._line
            yield line, self._value()

    def following(self) -> Iterator[tuple[int, Any]]:
        """Yield (line, value) of values that stand one after another.

        Raises:
            InvalidRecord: A value is no JSON.
        """
        while True:
            self._skip_blanks(_BLANK + "\ufeff")
            if not self._peek():
                return
            line = self._line
            yield line, self._value()

    def _value(self) -> Any:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise InvalidRecord("nested too deeply", "deep", self._line) from None
            except InvalidRecord as error:
                raise InvalidRecord(str(error), error.kind, self._line) from None
            except ValueError as error:
                if self._ended or len(self._buffer) - self._at > MAX_RECORD_CHARS:
                    reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number too long"
                    raise InvalidRecord(f"not JSON ({reason})", "json", self._line) from None
                self._more(max(_CHUNK, len(self._buffer) - self._at))
                continue
            self._skip_to(end)
            return value

    def _peek(self) -> str:
        if self._at >= len(self._buffer) and not self._ended:
            self._more()
        return self._buffer[self._at : self._at + 1]

    def _skip_blanks(self, blanks: str) -> None:
        while (character := self._peek()) and character in blanks:
            self._skip_to(self._at + 1)

    def _skip_to(self, place: int) -> None:
        self._line += self._buffer.count("\n", self._at, place)
        self._at = place

    def _more(self, size: int = _CHUNK) -> None:
        chunk = self._file.read(size)
        self._ended = not chunk
        self._buffer = self._buffer[self._at :] + self._decoder.decode(chunk, final=self._ended)
        self._at = 0


def json_values(source: Source, report: Report, key: str | None = None) -> Iterator[tuple[int, Any]]:
    """Yield (line, value) of a JSON list (under a key, or the text itself)."""
    with source.open() as file:
        try:
            yield from Elements(file, source.codec()).after(key)
        except InvalidRecord as error:
            report.problem(source.path, error.line, str(error), error.kind)
        except UnicodeDecodeError as error:
            report.problem(source.path, 0, bad_bytes(error.object[error.start : error.start + 2]), "encoding")
