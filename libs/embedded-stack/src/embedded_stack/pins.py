"""The lock file of everything that is downloaded: coordinates, sizes and digests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

from embedded_stack.errors import StackError

LOCK_FILE = "downloads.lock"
_WORD = "([^:\\s]+)"
_PIN = re.compile(rf"{_WORD}:{_WORD}:{_WORD}:{_WORD}(?::{_WORD})?\s+(\d+)\s+([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One file to download: a Maven coordinate, its size in bytes and its SHA-256 digest (hex)."""

    group: str
    artifact: str
    version: str
    packaging: str
    classifier: str
    size_bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The file's name, as Maven builds it."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.packaging}"

    @property
    def coordinate(self) -> str:
        """`group:artifact:version:packaging[:classifier]`."""
        parts = [self.group, self.artifact, self.version, self.packaging]
        return ":".join([*parts, self.classifier] if self.classifier else parts)


def parse_lock(text: str) -> dict[str, list[Pin]]:
    """The pins of a lock file by section.

    Raises:
        StackError: a line is not `COORDINATE SIZE SHA256` or stands before the first section.
    """
    sections: dict[str, list[Pin]] = {}
    current: list[Pin] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
            continue
        if current is None:
            raise StackError(f"{LOCK_FILE} line {number}: a pin before the first [section]")
        current.append(_parse_pin(line, number))
    return sections


def _parse_pin(line: str, number: int) -> Pin:
    match = _PIN.fullmatch(line)
    if match is None:
        raise StackError(f"{LOCK_FILE} line {number} is not 'COORDINATE SIZE SHA256'")
    group, artifact, version, packaging, classifier, size, sha256 = match.groups()
    return Pin(group, artifact, version, packaging, classifier or "", int(size), sha256)


def load_pins() -> dict[str, list[Pin]]:
    """The pins that come with this package, by section (`kafka`, `registry`)."""
    return parse_lock(resources.files("embedded_stack").joinpath(LOCK_FILE).read_text(encoding="utf-8"))
