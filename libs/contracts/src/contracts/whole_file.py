"""Files that a reader sees whole or not at all."""

from pathlib import Path


def write_whole(path: Path, content: str) -> None:
    """Write a file beside its place and move it there: nobody sees half of it. A crash of the machine may lose it.

    Raises:
        OSError: It cannot be written; what was there before stays.
    """
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)
