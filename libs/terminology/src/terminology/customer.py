"""A customer's own codes from a CSV: checked row by row, all that is wrong named at once, and made into a table."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from terminology.errors import TerminologyRefused
from terminology.table import BagRow, Coding, Draft, NameRow
from terminology.words import bag_of, surface

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from terminology.systems import System

COLUMNS = ("code", "name", "synonyms", "label", "parent", "status", "replaced_by")
NAMED_FAULTS = 20
LONGEST_NAME = 300
MOST_ROWS = 2_000_000
_LABELS = {"": "", "DISEASE": "DISEASE", "TREATMENT": "TREATMENT"}
_STATUSES = {"": False, "active": False, "withdrawn": True}
_MARKUP = re.compile(r"<[^<>]*>|&(?:#\d+|[a-z]+);", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SCORE = 0.98
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_LONGEST_FIELD = 1 << 26
"""Characters that are read of one field: what is too long is named by its line, beside all else that is wrong."""


@dataclass(frozen=True, slots=True)
class Row:
    """One code of the CSV, checked by itself."""

    line: int
    code: str
    names: tuple[str, ...]
    label: str
    parent: str
    withdrawn: bool
    replaced_by: str


@dataclass(slots=True)
class _Checked:
    rows: dict[str, Row] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    """Of all rows, of wrong ones too."""
    faults: list[tuple[int, str]] = field(default_factory=list)
    """Lines, and what is wrong there."""


def draft_of_csv(path: Path, system: System, *, name: str, version: str, preferred: bool = False) -> Draft:
    """Return the draft of a table from a CSV with a header: `code` and `name`, and any of the other `COLUMNS`.

    Several synonyms are joined by bars. A name that two codes share gives neither (it is ambiguous).

    Raises:
        TerminologyRefused: the file cannot be read, or rows are wrong: one line for each, the first `NAMED_FAULTS` of them.
    """
    checked = _Checked()
    for line, record in _records(path):
        _check(checked, system, line, record)
    checked.faults += _missing(checked) + _cycles(checked.rows, "parent") + _cycles(checked.rows, "replaced_by")
    if checked.faults:
        named = [f"line {line}: {fault}" for line, fault in sorted(checked.faults, key=itemgetter(0))[:NAMED_FAULTS]]
        more = len(checked.faults) - NAMED_FAULTS
        rest = f"\nand {more} more" if more > 0 else ""
        raise TerminologyRefused(f"{path} is not imported:\n" + "\n".join(named) + rest)
    if not checked.rows:
        raise TerminologyRefused(f"{path} has a header and no codes")
    return _draft(
        checked.rows.values(), system, Draft(name, version, _sources(path, system, version), preferred=preferred)
    )


def _sources(path: Path, system: System, version: str) -> list[dict[str, str]]:
    return [
        {
            "name": path.name,
            "version": version,
            "system": system.uri,
            "licence": "the customer's own; not to be passed on",
        }
    ]


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            reader.fieldnames = _header(path, reader.fieldnames or ())
            for record in reader:
                if reader.line_num > MOST_ROWS:
                    raise TerminologyRefused(f"{path} has more than {MOST_ROWS} rows")
                yield reader.line_num, record
    except UnicodeDecodeError:
        raise TerminologyRefused(f"{path} is not UTF-8: save it as CSV UTF-8") from None
    except csv.Error as error:
        raise TerminologyRefused(f"{path} is not a CSV: {error}") from None
    except OSError as error:
        raise TerminologyRefused(f"{path} cannot be read: {error.strerror}") from None
    finally:
        csv.field_size_limit(before)


def _header(path: Path, found: Sequence[str]) -> list[str]:
    """Return the columns, in lower case.

    Raises:
        TerminologyRefused: they are not those of a table of codes.
    """
    if not found:
        raise TerminologyRefused(f"{path} is empty; its first line names the columns: {', '.join(COLUMNS)}")
    names = [name.strip().lower() for name in found]
    missing = [name for name in COLUMNS[:2] if name not in names]
    other = next((name for sign, name in _SEPARATORS.items() if missing and sign in found[0]), None)
    if other is not None:
        raise TerminologyRefused(f"{path} separates its columns by {other}: save it as CSV with commas")
    if missing:
        raise TerminologyRefused(f"{path} has no column {' and '.join(missing)}; columns are {', '.join(COLUMNS)}")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise TerminologyRefused(f"{path} has an unknown column {unknown[0]!r}; columns are {', '.join(COLUMNS)}")
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise TerminologyRefused(f"{path} has the column {twice[0]!r} twice")
    return names


def _check(checked: _Checked, system: System, line: int, record: Mapping[str, str | None]) -> None:
    if None in record:
        checked.faults.append((line, "more fields than columns; put a name with a comma in quotation marks"))
        return
    fields = {name: (record.get(name) or "").strip() for name in COLUMNS}
    faults = list(_faults(fields, system, checked.rows))
    checked.faults += [(line, fault) for fault in faults]
    checked.codes.add(fields["code"])
    if not faults:
        names = tuple(one for one in (fields["name"], *map(str.strip, fields["synonyms"].split("|"))) if one)
        withdrawn = _STATUSES[fields["status"].lower()]
        row = Row(
            line,
            fields["code"],
            names,
            _LABELS[fields["label"].upper()],
            fields["parent"],
            withdrawn,
            fields["replaced_by"],
        )
        checked.rows[row.code] = row


def _faults(fields: Mapping[str, str], system: System, rows: Mapping[str, Row]) -> Iterator[str]:
    code = fields["code"]
    if not system.accepts(code):
        yield f"{code[:40]!r} is not a code of {system.name} (such as {system.example})"
    elif code in rows:
        yield f"code {code} stands on line {rows[code].line} already"
    yield from (f"{name}: {fault}" for name in ("name", "synonyms") for fault in _name_faults(fields[name], name))
    if fields["label"].upper() not in _LABELS:
        yield f"label {fields['label'][:20]!r}: give DISEASE, TREATMENT or nothing"
    if fields["status"].lower() not in _STATUSES:
        yield f"status {fields['status'][:20]!r}: give active, withdrawn or nothing"
    if fields["replaced_by"] and fields["status"].lower() != "withdrawn":
        yield f"{code[:40]} is replaced by another and not withdrawn"


def _name_faults(text: str, column: str) -> Iterator[str]:
    names = text.split("|") if column == "synonyms" else [text]
    if column == "name" and not surface(text):
        yield "no words"
    if any(len(name) > LONGEST_NAME for name in names):
        yield f"longer than {LONGEST_NAME} characters"
    elif _MARKUP.search(text):
        yield "holds HTML; give plain words"
    elif "\n" in text or "\r" in text:
        yield "goes over several lines; is a quotation mark missing?"
    elif _CONTROL.search(text):
        yield "holds a control character"


def _missing(checked: _Checked) -> list[tuple[int, str]]:
    return [
        (row.line, f"{kind} {other[:40]} is no code of this file")
        for row in checked.rows.values()
        for kind, other in (("parent", row.parent), ("replaced_by", row.replaced_by))
        if other and other not in checked.codes
    ]


def _cycles(rows: Mapping[str, Row], kind: str) -> list[tuple[int, str]]:
    """Return a line for each circle of parents or replacements, from the first of its codes in the file."""
    after = {code: getattr(row, kind) for code, row in rows.items()}
    settled: set[str] = set()
    found = []
    for start in rows:
        seen: dict[str, int] = {}
        code = start
        while code in rows and code not in settled and code not in seen:
            seen[code] = len(seen)
            code = after[code]
        if code in seen:
            circle = [one for one, place in seen.items() if place >= seen[code]]
            found.append((rows[code].line, f"{kind} goes in a circle: {' > '.join([*circle[:5], circle[0]])}"))
        settled.update(seen)
    return found


def _draft(rows: Iterable[Row], system: System, draft: Draft) -> Draft:
    names: dict[tuple[str, str], list[NameRow]] = {}
    bags: dict[tuple[str, ...], set[int]] = {}
    for row in rows:
        if row.withdrawn:
            draft.withdrawn[row.code] = row.replaced_by
            continue
        place = len(draft.concepts)
        draft.concepts.append(Coding(system.uri, row.code, " ".join(row.names[0].split())))
        for name in row.names:
            key = surface(name)
            if key and all(old.concepts != (place,) for old in names.get((key, row.label), ())):
                names.setdefault((key, row.label), []).append(NameRow(key, (place,), _SCORE, "imported", row.label))
            words = bag_of(key)
            if len(words) > 1 and row.label != "TREATMENT":
                bags.setdefault(words, set()).add(place)
    draft.names = [found[0] for _, found in sorted(names.items()) if len(found) == 1]
    draft.bags = [
        BagRow(words, min(places), _SCORE - 0.02, "imported")
        for words, places in sorted(bags.items())
        if len(places) == 1
    ]
    return draft
