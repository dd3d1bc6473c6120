"""spaCy's DocBin (`.spacy`), read and written without spaCy: zlib around MessagePack around a table of 64-bit numbers.

The numbers are hashes of strings that the file also lists, so the table is read by hashing that list. Source: spaCy 3, `spacy/tokens/_serialize.py`
and `spacy/attrs.pxd`; MurmurHash64A by Austin Appleby, with seed 1.
"""

from __future__ import annotations

import itertools
import zlib
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from corpus.formats.found import FoundNote, FoundSpan, InvalidRecord
from corpus.formats.msgpack import pack, unpack
from corpus.loaders_text import check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote
    from numpy.typing import NDArray

    from corpus.formats.report import Report
    from corpus.formats.source import Source

ORTH, ENT_IOB, ENT_TYPE, SPACY = 65, 77, 78, 81
_MAX_BYTES = 1 << 31
_MASK = (1 << 64) - 1
_MIX = 0xC6A4A7935BD1E995
_SEED = 1
INSIDE, OUTSIDE, BEGIN = 1, 2, 3


@cache
def symbols() -> dict[str, int]:
    """Return the strings that spaCy numbers instead of hashing them."""
    found = {f"FLAG{number}": number for number in range(19, 64)}
    number = 0
    for line in files("corpus").joinpath("data/spacy_symbols.txt").read_text(encoding="utf-8").splitlines():
        for word in line.split() if not line.startswith("#") else ():
            if word.isdecimal():
                number = int(word)
                continue
            found[word] = number
            number += 1
    return found


@lru_cache(maxsize=1 << 16)
def hash_string(text: str) -> int:
    """Return spaCy's number of a string: that of a symbol, else its 64-bit hash (0 for the empty one)."""
    data = text.encode()
    if not data:
        return 0
    if (known := symbols().get(text)) is not None:
        return known
    found = (_SEED ^ (len(data) * _MIX)) & _MASK
    whole = len(data) - len(data) % 8
    for at in range(0, whole, 8):
        word = int.from_bytes(data[at : at + 8], "little") * _MIX & _MASK
        word = (word ^ (word >> 47)) * _MIX & _MASK
        found = (found ^ word) * _MIX & _MASK
    if rest := data[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * _MIX & _MASK
    found = (found ^ (found >> 47)) * _MIX & _MASK
    return found ^ (found >> 47)


def read_docbin(source: Source, report: Report) -> Iterator[FoundNote]:
    """Yield a note for each document."""
    with source.open() as file:
        data = file.read()
    try:
        plain = _inflated(data)
        yield from _documents(source, report, _checked(unpack(plain)))
    except InvalidRecord as error:
        report.problem(source.path, 0, str(error), error.kind)


def _checked(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict) or not {"attrs", "tokens", "spaces", "lengths", "strings"} <= set(found):
        raise InvalidRecord("no DocBin of spaCy 3: save it by DocBin.to_disk, or export JSON", "docbin")
    return found


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, _MAX_BYTES)
    except zlib.error:
        raise InvalidRecord(
            "no DocBin of spaCy (not compressed by zlib): save it by DocBin.to_disk", "docbin"
        ) from None
    if unpacker.unconsumed_tail:
        raise InvalidRecord("unpacks to more than 2 GiB: split it", "too large")
    if not unpacker.eof:
        raise InvalidRecord("the file is cut off", "damaged")
    return plain


def _documents(source: Source, report: Report, found: Mapping[str, Any]) -> Iterator[FoundNote]:
    attributes = list(found["attrs"])
    if not {ORTH, ENT_IOB, ENT_TYPE} <= set(attributes):
        raise InvalidRecord(
            "this DocBin holds no entities (ENT_IOB and ENT_TYPE): save it with the usual attributes", "docbin"
        )
    names = {number: text for text, number in symbols().items()} | {
        hash_string(text): text for text in found["strings"]
    }
    lengths = np.frombuffer(found["lengths"], np.int32)
    table = np.frombuffer(found["tokens"], np.uint64)
    spaces = np.frombuffer(found["spaces"], np.bool_)
    if int(lengths.sum()) * len(attributes) != len(table) or len(spaces) != int(lengths.sum()):
        raise InvalidRecord("the file is damaged: its parts have different lengths", "damaged")
    table = table.reshape(-1, len(attributes))
    columns = [attributes.index(each) for each in (ORTH, ENT_IOB, ENT_TYPE)]
    if any(group not in {b"", b"\x90"} for group in found.get("span_groups") or ()) and not table[:, columns[2]].any():
        raise InvalidRecord(
            "all its spans stand in span groups, which are not read, and no document has entities: set doc.ents, or write Doc.to_json lines",
            "span groups",
        )
    start = 0
    for number, length in enumerate(lengths.tolist(), 1):
        rows = table[start : start + length][:, columns].tolist()
        note = _document(source, number, rows, spaces[start : start + length].tolist(), names)
        start += length
        if note is not None:
            yield note
        else:
            report.remark(source.path, number, "documents without text, left out")


def _document(
    source: Source, number: int, rows: Sequence[Sequence[int]], spaces: Sequence[bool], names: Mapping[int, str]
) -> FoundNote | None:
    text = ""
    spans: list[FoundSpan] = []
    for (word, place, kind), space in zip(rows, spaces, strict=True):
        if word and word not in names:
            raise InvalidRecord("the file does not list the words of its documents (strings)", "docbin", number)
        start = len(text)
        text += names.get(word, "")
        if place == INSIDE and spans:
            spans[-1].end = len(text)
        elif place == BEGIN:
            if kind not in names:
                raise InvalidRecord("the file does not list the names of its labels (strings)", "docbin", number)
            spans.append(FoundSpan(start, len(text), names[kind], line=number))
        text += " " if space else ""
    if not text.strip():
        return None
    check_text(text)
    return FoundNote(source.path, number, text, spans, exact=True)


def write_docbin(notes: Iterable[AnnotatedNote]) -> bytes:
    """Return notes as a DocBin: tokens of ours, cut also where an entity begins or ends inside one."""
    rows: list[tuple[int, int, int]] = []
    spaces: list[bool] = []
    lengths: list[int] = []
    strings: set[str] = set()
    for note in notes:
        before = len(rows)
        for start, end, space in _pieces(note):
            span = next((span for span in note.spans if span.start <= start < span.end), None)
            place = OUTSIDE if span is None else BEGIN if span.start == start else INSIDE
            label = "" if span is None else str(span.label)
            strings |= {note.text[start:end], label} - {""}
            rows.append((hash_string(note.text[start:end]), place, hash_string(label)))
            spaces.append(space)
        lengths.append(len(rows) - before)
    table: NDArray[np.uint64] = np.array(rows, np.uint64).reshape(-1, 3)
    return zlib.compress(
        pack(
            {
                "version": "0.1",
                "attrs": [ORTH, ENT_IOB, ENT_TYPE],
                "tokens": table.tobytes(),
                "spaces": np.array(spaces, np.bool_).tobytes(),
                "lengths": np.array(lengths, np.int32).tobytes(),
                "strings": sorted(strings),
                "cats": [{} for _ in lengths],
                "flags": [{"has_unknown_spaces": False} for _ in lengths],
                "span_groups": [b"\x90" for _ in lengths],
            }
        )
    )


def _pieces(note: AnnotatedNote) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, a blank follows) of pieces that make up the text; blanks beyond the first are pieces of their own."""
    from clinical_ner.datasets import given_tokens

    edges = {0, len(note.text), *(edge for token in given_tokens(note) for edge in token)}
    edges |= {edge for span in note.spans for edge in (span.start, span.end)}
    ordered = sorted(edges)
    position = 0
    for left, end in itertools.pairwise(ordered):
        start = max(left, position)
        if start >= end:
            continue
        position = end
        space = note.text[end : end + 1] == " " and not _blank_is_inside(note, end)
        yield start, end, space
        position += space


def _blank_is_inside(note: AnnotatedNote, place: int) -> bool:
    return any(span.start == place for span in note.spans)
