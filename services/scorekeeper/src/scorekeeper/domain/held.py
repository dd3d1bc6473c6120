"""Rows that wait for their file: what became of a note is known before it lies at rest."""

import threading
from collections.abc import Collection, Mapping
from typing import Any

from contracts.identity import note_key

Row = Mapping[str, Any]


class HeldRows:
    """The row that counts of each note that is not at rest yet. The sink's thread puts and clears, the page's threads ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}

    def put(self, row: Row) -> None:
        """Keep a row; of a note's the one that counts."""
        key = note_key(row["source"], row["note_id"])
        with self._lock:
            self._rows[key] = counting(self._rows.get(key), row) or row

    def clear(self) -> None:
        """All of them lie at rest now."""
        with self._lock:
            self._rows = {}

    def forget(self, patients: Collection[str]) -> None:
        """Let the rows of these patients (pseudonyms) go."""
        with self._lock:
            self._rows = {key: row for key, row in self._rows.items() if row["patient_ref"] not in patients}

    def of(self, source: str, note_id: str) -> Row | None:
        """The row of a note; None: there is none, or it lies at rest."""
        with self._lock:
            return self._rows.get(note_key(source, note_id))


def counting(*rows: Row | None) -> Row | None:
    """The row that counts among some of one note: the highest (revision, model serial, rules serial)."""
    return max((row for row in rows if row is not None), key=_order, default=None)


def _order(row: Row) -> tuple[int, int, int]:
    return row["revision"], row["model_serial"], row["rules_serial"]
