"""Which format a file is in: by what it holds, and by its name only where that says nothing."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from corpus.formats.columns import HEADERS
from corpus.loaders_directions import HEADER
from corpus.loaders_text import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from corpus.formats.source import Source


class Format(StrEnum):
    """The formats that can be read. JSON of every tool is told apart record by record."""

    PAIRS = "pairs"
    CONLL = "conll"
    JSONL = "jsonl"
    DIRECTIONS = "directions"
    TABLE = "table"
    BRAT = "brat"
    I2B2 = "i2b2"
    I2B2_XML = "i2b2-xml"
    PUBTATOR = "pubtator"
    BIOC = "bioc"
    SPACY = "spacy"
    PARQUET = "parquet"


NAMES = {
    Format.PAIRS: "token and label files",
    Format.CONLL: "CoNLL columns",
    Format.JSONL: "JSON",
    Format.DIRECTIONS: "directions",
    Format.TABLE: "table",
    Format.BRAT: "brat",
    Format.I2B2: "i2b2",
    Format.I2B2_XML: "i2b2 XML",
    Format.PUBTATOR: "PubTator",
    Format.BIOC: "BioC XML",
    Format.SPACY: "spaCy DocBin",
    Format.PARQUET: "Parquet (Hugging Face)",
}
_BY_NAME = {
    ".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".json": Format.JSONL, ".jsonlines": Format.JSONL, ".ann": Format.BRAT, ".con": Format.I2B2,
    ".ast": Format.I2B2, ".spacy": Format.SPACY, ".parquet": Format.PARQUET, ".xlsx": Format.TABLE, ".xlsm": Format.TABLE, ".csv": Format.TABLE,
    ".pubtator": Format.PUBTATOR, ".conll": Format.CONLL, ".conll2003": Format.CONLL, ".iob": Format.CONLL, ".bio": Format.CONLL, ".iob2": Format.CONLL,
    ".bioes": Format.CONLL, ".bilou": Format.CONLL, ".conllu": Format.CONLL,
}  # fmt: skip
_UNREAD = {
    ".zip": "unpack it, and name the folder", ".gz": "unpack it (gunzip)", ".tar": "unpack it, and name the folder", ".7z": "unpack it, and name the folder",
    ".xls": "save it as .xlsx or as CSV (UTF-8)", ".ods": "save it as .xlsx or as CSV (UTF-8)", ".arrow": "save it as Parquet or as JSON lines (to_json)",
    ".xmi": "UIMA and INCEpTION: export WebAnno TSV as CoNLL 2003, or JSON", ".pkl": "pickles are never opened: export JSON lines",
    ".pickle": "pickles are never opened: export JSON lines", ".pt": "pickles are never opened: export JSON lines", ".docx": "documents of Word hold no annotations that are read",
    ".pdf": "PDF holds no annotations that are read", ".npz": "an array holds no text: export JSON lines",
}  # fmt: skip
_PUBTATOR = re.compile(r"^\S+\|[ta]\|", re.MULTILINE)
_I2B2 = re.compile(r'^c="[^\n]*" \d+:\d+ \d+:\d+\|\|', re.MULTILINE)
_TAGGED = re.compile(r"^\S+[ \t].*(?:\bO|[BIESLU]-\S+)\s*$")
_BRAT = re.compile(r"^T\d+\t\S+ \d+ \d+", re.MULTILINE)


def recognise(source: Source) -> Format:
    """Return the format of a file.

    Raises:
        DatasetError: It is not read, or cannot be told; the message says what to do.
    """
    suffix = source.path.suffix.lower()
    if suffix in _UNREAD:
        raise DatasetError(f"{source.path}: {suffix} is not read: {_UNREAD[suffix]}")
    raw = source.head()
    if packed := _packed(raw, suffix):
        raise DatasetError(f"{source.path}: this is {packed} under another name: {_UNREAD['.zip']}")
    if suffix not in {".ann", ".con"}:
        source.need_content()
    head = raw.decode(source.codec(), "replace").removeprefix("\ufeff")
    found = _by_content(source.path, head, suffix) or _BY_NAME.get(suffix)
    if found is None:
        raise DatasetError(
            f"{source.path}: cannot tell the format from the name or from what it holds: say --sentences-format conll or jsonl "
            "(or another), or give --labels FILE for the pair format; notes without annotations are for `rxtract extract --file`"
        )
    return found


def _packed(raw: bytes, suffix: str) -> str:
    if raw.startswith(b"PK\x03\x04") and suffix not in {".xlsx", ".xlsm"}:
        return "a zip archive"
    return "a gzip file" if raw.startswith(b"\x1f\x8b") else ""


def _by_content(path: Path, head: str, suffix: str) -> Format | None:
    start = head.lstrip()
    first = start.split("\n", 1)[0].strip()
    if suffix in {".xlsx", ".xlsm", ".spacy", ".parquet", ".ann"}:
        return None
    if suffix == ".xml" or start.startswith(("<?xml", "<collection", "<!DOCTYPE")):
        return _xml(path, start)
    if suffix == ".tsv":
        return _tsv(first)
    if suffix in {".txt", ""} and path.with_suffix(".ann").exists():
        return Format.BRAT
    if suffix in {".txt", ".json", "", ".dat"} and start.startswith(("{", "[")) and '"' in head:
        return Format.JSONL
    return _plain(start, suffix)


def _plain(start: str, suffix: str) -> Format | None:
    if suffix in {".txt", ".tsv", ".pubtator", ""} and _PUBTATOR.match(start):
        return Format.PUBTATOR
    if suffix in {".txt", ".con", ".ast"} and _I2B2.match(start):
        return Format.I2B2
    if suffix == ".txt" and _BRAT.match(start):
        return Format.BRAT
    lines = [line for line in start.split("\n")[:50] if line.strip() and not line.startswith("#")]
    if (
        suffix in {".txt", ".data", ".train", ".test", ".dev"}
        and lines
        and all(_TAGGED.match(line) for line in lines[:-1] or lines)
    ):
        return Format.CONLL
    return None


def _xml(path: Path, start: str) -> Format:
    if "<collection" in start or "<document" in start:
        return Format.BIOC
    if "<TAGS" in start or "<TEXT" in start:
        return Format.I2B2_XML
    raise DatasetError(f"{path}: XML of a kind that is not read (BioC and i2b2 are): export brat, BioC or JSON")


def _tsv(first: str) -> Format:
    if first == HEADER:
        return Format.DIRECTIONS
    if _PUBTATOR.match(first):
        return Format.PUBTATOR
    names = [name.strip().casefold() for name in first.split("\t")]
    tabled = {"text", "sentence", "sentence #", "sentence_id", "note", "start"} & set(names)
    return (
        Format.TABLE
        if len(names) > 1 and tabled and (HEADERS | {"label", "spans", "end"}) & set(names)
        else Format.CONLL
    )
