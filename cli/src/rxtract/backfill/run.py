"""Sends a file through a door, row by row, and remembers how far it came."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from contracts.plain import RecordError

from rxtract.backfill.files import Row, read_rows, to_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from contracts.records import NoteSubmitted, Origin

    from rxtract.backfill.doors import Door
    from rxtract.backfill.files import NoteFile
    from rxtract.backfill.state import Progress, Rejects, StateFile

BATCH_CHARS = 300_000
"""Texts of one batch, so that an array stays well under the HTTP door's limit."""


def send_file(
    file: NoteFile,
    door: Door,
    state: StateFile,
    rejects: Rejects,
    origin: Origin,
    *,
    source: str | None,
    batch_rows: int,
    on_progress: Callable[[Progress], None],
) -> Progress:
    """Send what is not sent yet. Rows of a batch that was under way when we were killed are sent again, which is harmless.

    Raises:
        UserError: the file or the door is not usable. What was settled until then is remembered.
    """
    progress = state.load()
    rows = islice(read_rows(file), progress.rows_done, None)
    for batch in _batches(rows, batch_rows):
        rejected = _send_batch(batch, door, rejects, origin, source)
        progress = progress.after(
            rows=len(batch), sent=len(batch) - rejected, rejected=rejected, rejects_bytes=rejects.size_bytes
        )
        state.save(progress)
        on_progress(progress)
    progress = progress.done()
    state.save(progress)
    return progress


def _send_batch(batch: Sequence[Row], door: Door, rejects: Rejects, origin: Origin, source: str | None) -> int:
    notes: list[NoteSubmitted] = []
    rows: list[Row] = []
    rejected = 0
    for row in batch:
        try:
            notes.append(to_note(row, origin, source))
            rows.append(row)
        except RecordError as error:
            message = {"field": error.field, "reason": str(error.reason), "message": error.reason.sentence}
            rejects.write(row.number, [message], row.values)
            rejected += 1
    for refusal in door.send(notes) if notes else ():
        rejects.write(rows[refusal.index].number, refusal.errors, rows[refusal.index].values)
        rejected += 1
    return rejected


def _batches(rows: Iterator[Row], batch_rows: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    chars = 0
    for row in rows:
        size = len(str((row.values or {}).get("text", "")))
        if batch and (len(batch) >= batch_rows or chars + size > BATCH_CHARS):
            yield batch
            batch, chars = [], 0
        batch.append(row)
        chars += size
    if batch:
        yield batch
