"""A table: names and the codes they stand for, in one file that is opened in a fraction of a second.

The file is a ZIP archive that any tool can look into: `meta.json`, `concepts.tsv` (system, code, display), `names.tsv` and
`bags.tsv` (what a mention is looked up by), an inverted index of the bags' words, and the substances by hashes of their
names. `meta.json` carries the format and a digest over all other members.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from terminology.errors import TerminologyRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1
SUFFIX = ".table"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_META = "meta.json"
_LARGEST_BYTES = 512 << 20
_SHORTEST_SPELLING = 4


@dataclass(frozen=True, slots=True)
class Coding:
    """A code of a system, and its name in that system."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class NameRow:
    """What a form stands for: concepts by their index (several for a combination, none for a form without a code).

    `score` is between 0 and 1; `cues` are words of the sentence, one of which must stand beside the form.
    """

    key: str
    concepts: tuple[int, ...]
    score: float
    how: str
    label: str = ""
    cues: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BagRow:
    """A set of words, its concept, and how sure the pair is by itself."""

    words: tuple[str, ...]
    concept: int
    score: float
    how: str


@dataclass(slots=True)
class Draft:
    """What a table is written from."""

    name: str
    version: str
    sources: list[dict[str, str]] = field(default_factory=list)
    concepts: list[Coding] = field(default_factory=list)
    names: list[NameRow] = field(default_factory=list)
    bags: list[BagRow] = field(default_factory=list)
    substances: dict[str, tuple[str, str]] = field(default_factory=dict)
    """`surface` of a name -> UNII and display."""
    withdrawn: dict[str, str] = field(default_factory=dict)
    """Codes that were taken back, and what replaced each ("" for nothing)."""
    preferred: bool = False
    serial: int = 0
    """UTC second at which it was made: whatever is coded by the newer of two tables counts."""


def substance_hash(key: str) -> int:
    """Return the 64-bit hash that a substance's name is found by."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def write(draft: Draft, path: Path) -> dict[str, Any]:
    """Write a table, replacing the file in one step, and return its `meta.json`: the same draft gives the same bytes of members."""
    members = _members(draft)
    meta = {
        "format": FORMAT,
        "name": draft.name,
        "version": draft.version,
        "digest": digest_of(members),
        "preferred": draft.preferred,
        "serial": draft.serial,
        "sources": draft.sources,
        "counts": _counts(draft),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in [(_META, _json(meta)), *members.items()]:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    part.replace(path)
    return meta


def write_newer(draft: Draft, path: Path) -> dict[str, Any]:
    """Write a table under a serial above that of the one it replaces, or under the same one if nothing changed.

    The serial is the clock's, or `SOURCE_DATE_EPOCH` where a reproducible build sets it.
    """
    now_s = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    draft.serial = _serial_after(path, draft, now_s)
    return write(draft, path)


def _serial_after(path: Path, draft: Draft, now_s: int) -> int:
    """Return the serial of what is to be written at `path`; a table there that cannot be read counts as none."""
    try:
        old = read(path)
    except TerminologyRefused:
        return now_s
    same = (old.meta["digest"], old.meta["version"], old.preferred) == (
        digest_of(_members(draft)),
        draft.version,
        draft.preferred,
    )
    return old.serial if same and old.serial else max(now_s, old.serial + 1)


def digest_of(members: Mapping[str, bytes]) -> str:
    """Return the digest over the members of a table, by their names in order."""
    total = hashlib.sha256()
    for name in sorted(members):
        total.update(f"{name}\n{len(members[name])}\n".encode())
        total.update(members[name])
    return "sha256:" + total.hexdigest()


def _counts(draft: Draft) -> dict[str, int]:
    return {
        "concepts": len(draft.concepts),
        "names": len(draft.names),
        "bags": len(draft.bags),
        "substance_names": len(draft.substances),
        "withdrawn": len(draft.withdrawn),
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _members(draft: Draft) -> dict[str, bytes]:
    return {
        "concepts.tsv": _tsv((c.system, c.code, c.display) for c in draft.concepts),
        "names.tsv": _tsv(_name_fields(row) for row in draft.names),
        "bags.tsv": _tsv((" ".join(row.words), str(row.concept), f"{row.score:.3f}", row.how) for row in draft.bags),
        "spellings.txt": "\n".join(_spellings(draft.names)).encode("utf-8", "surrogatepass"),
        "withdrawn.tsv": _tsv(sorted(draft.withdrawn.items())),
        **_index_members(draft.bags),
        **_substance_members(draft.substances),
    }


def _spellings(names: Iterable[NameRow]) -> list[str]:
    """Return the words, as they are written, of names that are not of drugs: what a misspelt word may have been."""
    words = {word for row in names if row.label != "TREATMENT" for word in row.key.split()}
    return sorted(word for word in words if len(word) >= _SHORTEST_SPELLING and not word.isdigit())


def _name_fields(row: NameRow) -> Sequence[str]:
    return (
        row.key,
        "+".join(map(str, row.concepts)) or "-",
        f"{row.score:.3f}",
        row.how,
        row.label,
        " ".join(sorted(row.cues)),
    )


def _tsv(rows: Iterable[Sequence[str]]) -> bytes:
    return "\n".join("\t".join(row) for row in rows).encode("utf-8", "surrogatepass")


def _index_members(bags: Sequence[BagRow]) -> dict[str, bytes]:
    postings: dict[str, list[int]] = {}
    for place, row in enumerate(bags):
        for word in row.words:
            postings.setdefault(word, []).append(place)
    words = sorted(postings)
    ends = np.cumsum([len(postings[word]) for word in words], dtype="<i4")
    flat = np.array([place for word in words for place in postings[word]], dtype="<i4")
    return {
        "words.txt": "\n".join(words).encode(),
        "word_ends.bin": ends.tobytes(),
        "postings.bin": flat.tobytes(),
    }


def _substance_members(substances: Mapping[str, tuple[str, str]]) -> dict[str, bytes]:
    order = sorted(set(substances.values()))
    place = {substance: index for index, substance in enumerate(order)}
    pairs = sorted((substance_hash(key), place[substance]) for key, substance in substances.items())
    lines = [f"{unii}\t{display}".encode() for unii, display in order]
    return {
        "substance_hashes.bin": np.array([pair[0] for pair in pairs], dtype="<u8").tobytes(),
        "substance_places.bin": np.array([pair[1] for pair in pairs], dtype="<u4").tobytes(),
        "substances.tsv": b"\n".join(lines),
        "substance_ends.bin": np.cumsum([len(line) + 1 for line in lines], dtype="<u4").tobytes(),
    }


class Table:
    """A table in memory, read only and safe to share between threads.

    Raises:
        TerminologyRefused: `read` on a file that is no table, of another format, or damaged.
    """

    def __init__(self, meta: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
        self.meta = meta
        self.concepts = _lines(members["concepts.tsv"])
        self.names = _by_key(members["names.tsv"])
        self.bag_rows = _lines(members["bags.tsv"])
        self.bags = {row[: row.index("\t")]: place for place, row in enumerate(self.bag_rows)}
        self.withdrawn = dict(line.split("\t") for line in _lines(members["withdrawn.tsv"]))
        self._spellings = members["spellings.txt"]
        words = _lines(members["words.txt"])
        self.words = {word: place for place, word in enumerate(words)}
        self.word_ends = np.frombuffer(members["word_ends.bin"], dtype="<i4")
        self.postings = np.frombuffer(members["postings.bin"], dtype="<i4")
        self.word_weights, self.bag_weights = _weights(words, self.word_ends, self.postings, len(self.bag_rows))
        self._hashes = np.frombuffer(members["substance_hashes.bin"], dtype="<u8")
        self._places = np.frombuffer(members["substance_places.bin"], dtype="<u4")
        self._substance_ends = np.frombuffer(members["substance_ends.bin"], dtype="<u4")
        self._substances = members["substances.tsv"]

    @property
    def name(self) -> str:
        """The table's name, by which it is listed and replaced."""
        return str(self.meta["name"])

    @property
    def version(self) -> str:
        """Version and the beginning of the digest: what a coded mention is traced by."""
        return f"{self.meta['name']}-{self.meta['version']}+{str(self.meta['digest'])[7:19]}"

    @property
    def serial(self) -> int:
        """The UTC second at which the table was made; 0 in a table from before there were serials."""
        return int(self.meta.get("serial") or 0)

    @property
    def preferred(self) -> bool:
        """Whether its codes go before those of the base table."""
        return bool(self.meta.get("preferred"))

    def coding(self, concept: int) -> Coding:
        """Return a concept by its index."""
        system, code, display = self.concepts[concept].split("\t")
        return Coding(system, code, display)

    def name_rows(self, key: str) -> list[NameRow]:
        """Return what a form stands for, lines with cues first; empty when it is not known."""
        found = self.names.get(key)
        return [_name_row(key, line) for line in found.split("\n")] if found is not None else []

    def bag_words(self, place: int) -> list[str]:
        """Return the words of a bag by its place."""
        row = self.bag_rows[place]
        return row[: row.index("\t")].split()

    def bag_row(self, place: int) -> BagRow:
        """Return a bag by its place."""
        words, concept, score, how = self.bag_rows[place].split("\t")
        return BagRow(tuple(words.split()), int(concept), float(score), how)

    def substance(self, key: str) -> tuple[str, str] | None:
        """Return UNII and display of a substance by the `surface` of one of its names."""
        wanted = np.uint64(substance_hash(key))
        place = int(self._hashes.searchsorted(wanted))
        if place == len(self._hashes) or self._hashes[place] != wanted:
            return None
        line = int(self._places[place])
        start = int(self._substance_ends[line - 1]) if line else 0
        unii, display = self._substances[start : int(self._substance_ends[line]) - 1].decode().split("\t")
        return unii, display

    def spellings(self) -> list[str]:
        """Return the words of all names but those of drugs, as they are written."""
        return _lines(self._spellings)

    def category(self, concept: int) -> str:
        """Return the first three characters of a concept's code."""
        return self.concepts[concept].split("\t", 2)[1][:3]

    def posting_at(self, place: int) -> NDArray[np.int32]:
        """Return the places of the bags with a word, by the word's place in `words`."""
        start = int(self.word_ends[place - 1]) if place else 0
        return self.postings[start : int(self.word_ends[place])]


def read(path: Path) -> Table:
    """Open a table.

    Raises:
        TerminologyRefused: it is not there, no table, of another format, or its digest is wrong.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise TerminologyRefused(f"{path} is larger than any table")
        with zipfile.ZipFile(BytesIO(path.read_bytes())) as archive:
            meta = json.loads(archive.read(_META))
            _check_format(path, meta)
            members = {name: archive.read(name) for name in archive.namelist() if name != _META}
        if digest_of(members) != meta.get("digest"):
            raise TerminologyRefused(
                f"{path} was changed after it was built (its digest is wrong): build or import it anew"
            )
        return Table(meta, members)
    except FileNotFoundError:
        raise TerminologyRefused(f"no terminology at {path}: run `rxtract terminology build`") from None
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        if isinstance(error, TerminologyRefused):
            raise
        raise TerminologyRefused(f"{path} is not a terminology table: build or import it anew") from None


def _check_format(path: Path, meta: object) -> None:
    found = meta.get("format") if isinstance(meta, dict) else None
    if found != FORMAT:
        raise TerminologyRefused(
            f"{path} has table format {found}, this program reads {FORMAT}: build or import it anew"
        )


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogatepass").split("\n") if data else []


def _by_key(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    same: dict[str, str] = {}  # most names share what follows with others of their concept
    for line in _lines(data):
        key, _, rest = line.partition("\t")
        rest = same.setdefault(rest, rest)
        found[key] = f"{found[key]}\n{rest}" if key in found else rest
    return found


def _weights(
    words: Sequence[str], ends: NDArray[np.int32], postings: NDArray[np.int32], bags: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight of each word (the rarer the more; numbers weigh one) and of each bag, the sum of its words."""
    counts = np.diff(ends, prepend=0)
    weights = np.log(max(bags, 1) / np.maximum(counts, 1))
    weights[[place for place, word in enumerate(words) if word.isdigit()]] = 1.0
    return weights, np.bincount(postings, np.repeat(weights, counts), bags).astype(np.float64)


def _name_row(key: str, line: str) -> NameRow:
    concepts, score, how, label, cues = line.split("\t")
    indexes = () if concepts == "-" else tuple(map(int, concepts.split("+")))
    return NameRow(key, indexes, float(score), how, label, frozenset(cues.split()))
