"""How far a file was sent, so that a send that was killed goes on where it was."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.whole_file import write_whole

if TYPE_CHECKING:
    from rxtract.backfill.files import NoteFile


@dataclass(frozen=True, slots=True)
class Progress:
    """What has been settled of a file: every row up to `rows_done` was accepted or is in the rejects.

    Attributes:
        rejects_bytes: Length of the rejects file at that point; what is beyond was written just before a crash.
        target: Where to and as what: what was sent to one stack was not sent to another.
    """

    digest: str
    rows_done: int = 0
    sent: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    finished: bool = False
    target: str = ""

    def after(self, *, rows: int, sent: int, rejected: int, rejects_bytes: int) -> Progress:
        """Return the progress after some more rows."""
        return replace(
            self,
            rows_done=self.rows_done + rows,
            sent=self.sent + sent,
            rejected=self.rejected + rejected,
            rejects_bytes=rejects_bytes,
        )

    def done(self) -> Progress:
        """Return the progress of a file that was read to its end."""
        return replace(self, finished=True)


class StateFile:
    """Keeps `Progress` beside the file, or in the user's cache when that folder cannot be written."""

    def __init__(self, file: NoteFile, target: str = "") -> None:
        self._fresh = Progress(file.digest, target=target)
        self.path = _writable(file)

    def load(self) -> Progress:
        """Return the progress of exactly this content to this target; a fresh one for another or unreadable state."""
        found = self._found()
        return found if found is not None and found.target == self._fresh.target else self._fresh

    @property
    def was_sent_elsewhere(self) -> bool:
        """Whether this content was sent to another target, all or in part."""
        found = self._found()
        return found is not None and found.target != self._fresh.target

    def _found(self) -> Progress | None:
        try:
            found = Progress(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.digest == self._fresh.digest else None

    def save(self, progress: Progress) -> None:
        """Write the progress, whole or not at all."""
        write_whole(self.path, json.dumps(asdict(progress)))


class Rejects:
    """`FILE.rejected.jsonl`: each row that was refused, with every reason. It holds what the rows hold: only the owner may read it.

    Args:
        keep_bytes: How much of an earlier run's file counts; the rest is cut off.
    """

    def __init__(self, path: Path, keep_bytes: int) -> None:
        self.path = path
        self._bytes = keep_bytes
        self.first = ""
        if path.exists():
            os.truncate(path, min(keep_bytes, path.stat().st_size))

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self._bytes

    def write(self, row: int, errors: list[dict[str, str]], note: dict[str, Any] | None) -> None:
        """Add one row. The first one's reason is kept for the screen: it names a field and shows nothing of a note."""
        if not self.first and errors:
            self.first = f"row {row}, {errors[0]['field']}: {errors[0]['message']}"
        line = json.dumps({"row": row, "errors": errors, "note": note}, default=str).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line)
        self._bytes += len(line)


def rejects_path(file: NoteFile) -> Path:
    """Where rejects of a file go: beside it, or beside its state."""
    state = _writable(file)
    folder = file.path.parent if state.parent == file.path.parent else state.parent
    return folder / f"{file.path.name}.rejected.jsonl"


def _writable(file: NoteFile) -> Path:
    if os.access(file.path.parent, os.W_OK):
        return file.path.with_name(f"{file.path.name}.sent.json")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rxtract" / "send" / file.digest[:16]
    cache.mkdir(parents=True, exist_ok=True)
    return cache / f"{file.path.name}.sent.json"
