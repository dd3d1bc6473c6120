"""What files hold in clear, read raw."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def in_files(folder: Path, words: list[str], *, without: Callable[[Path], bool] = lambda _: False) -> list[str]:
    """Return the files below a folder that hold one of the words.

    Files and folders may go meanwhile, and what is gone holds nothing: `rglob` raises where a folder goes while it is listed.
    """
    wanted = re.compile(b"|".join(re.escape(word.encode()) for word in words))
    found = []
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            # Kafka's indexes hold offsets alone, and are megabytes of nothing.
            if path.suffix not in {".index", ".timeindex"} and path.is_file() and not without(path):
                with suppress(FileNotFoundError):
                    found += [str(path.relative_to(folder))] if wanted.search(path.read_bytes()) else []
    return found
