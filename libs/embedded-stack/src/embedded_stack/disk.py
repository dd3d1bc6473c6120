"""Room on the disk, asked for before it is needed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from embedded_stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

STACK_NEEDS_BYTES = 300_000_000


def require_free(folder: Path, need_bytes: int) -> None:
    """Refuse when the folder's file system has less room than needed.

    Raises:
        StackError: one line with both numbers and what to do.
    """
    free = free_bytes(folder)
    if free < need_bytes:
        raise StackError(
            f"the disk is full: {folder} has {free / 1e6:.0f} MB free and {need_bytes / 1e6:.0f} MB are needed; "
            "free some space, or use another folder (--data, RXTRACT_CACHE_DIR)"
        )


def free_bytes(folder: Path) -> int:
    """Bytes that we may still write on the file system of the folder, or of its nearest parent that exists."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free
