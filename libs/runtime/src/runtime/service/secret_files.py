"""Secrets from files: keys, passwords, and what is kept of a token. One line says what to do when one is not usable."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from runtime.errors import SettingsError
from runtime.service.logs import get_logger
from runtime.service.metrics import TOKEN_FILE_AWAY, TOKEN_LINES_REFUSED, Metrics

KEY_BYTES = 32
CLOSED_AFTER_S = 300.0
"""A token file that is away for so long lets nobody in: whoever deleted it may have meant that."""
T = TypeVar("T")
_HASH_CHARS = 64
_LOOK_AGAIN_S = 5.0
_log = get_logger(__name__)


def read_key(path: Path, variable: str, least_bytes: int = KEY_BYTES) -> bytes:
    """Read a key; white space at the end does not count.

    Args:
        path: The file.
        variable: Environment variable that named it, for the error.
        least_bytes: A shorter key is refused.

    Raises:
        SettingsError: One line that says how to make a key.
    """
    remedy = f"make one with `openssl rand -hex 32 > {path}` and keep it secret"
    try:
        key = path.read_bytes().rstrip()
    except OSError as error:
        raise SettingsError(f"{variable} cannot be read ({error.strerror}): {remedy}") from None
    if len(key) < least_bytes:
        raise SettingsError(f"{variable} holds {len(key)} bytes and needs {least_bytes}: {remedy}")
    return key


def hash_token(token: str) -> str:
    """What is kept of a token: 64 hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def is_token_hash(digest: str) -> bool:
    """Whether it can be what `hash_token` gives."""
    return len(digest) == _HASH_CHARS and not set(digest) - set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Entries(Generic[T]):
    """What the lines of a token file say.

    Attributes:
        owners: By the hash of their token.
        refused: Numbers of the lines that cannot be used, and what is wrong with each, without its content.
    """

    owners: Mapping[str, T]
    refused: tuple[tuple[int, str], ...] = ()


def read_entries(text: str, read: Callable[[str], tuple[str, T]], separator: str | None = None) -> Entries[T]:
    """Read one entry a line. A line that cannot be used costs itself alone; lines that begin with # do not count.

    Args:
        text: Of the file.
        read: From an entry to the token's hash and its owner; raises ValueError with what is wrong, without the entry.
        separator: Between several entries on one line.
    """
    owners: dict[str, T] = {}
    refused: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            continue
        for entry in filter(str.strip, line.split(separator) if separator else [line]):
            try:
                digest, owner = read(entry.strip())
            except ValueError as error:
                refused.append((number, str(error)))
                continue
            if owners.setdefault(digest, owner) != owner:
                refused.append((number, "holds the token of another line"))
    return Entries(owners, tuple(refused))


class TokenFile(Generic[T]):
    """A token file that may change while we run: looked at again every few seconds, so that nothing has to be restarted.

    A line that is wrong costs itself alone, so a token that was taken away is refused whatever the other lines hold. A file that is
    away is an accident for a while (it is being replaced) and a closed door afterwards.

    Args:
        path: The file.
        variable: Environment variable that named it, for errors, logs and metrics.
        read: See `read_entries`.
        separator: See `read_entries`.
        metrics: Tell how many lines are refused and for how long the file has been away; they look at it at each scrape too.
        clock: Monotonic seconds.

    Raises:
        SettingsError: At the start, when the file cannot be read.
    """

    def __init__(
        self,
        path: Path,
        variable: str,
        read: Callable[[str], tuple[str, T]],
        *,
        separator: str | None = None,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._variable = variable
        self._read_entry = read
        self._separator = separator
        self._clock = clock
        self._looking = threading.Lock()
        self._entries: Entries[T] = Entries({})
        try:
            self._read()
        except OSError as error:
            raise SettingsError(f"{variable} cannot be read ({error.strerror}): check the path") from None
        self._looked_at_s = self._read_at_s = clock()
        if metrics is not None:
            metrics.gauge(TOKEN_LINES_REFUSED).labels(variable).set_function(lambda: len(self._look().refused))
            metrics.gauge(TOKEN_FILE_AWAY).labels(variable).set_function(self._away_s)

    def __call__(self) -> Mapping[str, T]:
        """Owners by the hash of their token, as the file says now."""
        return self._look().owners

    def _look(self) -> Entries[T]:
        if self._clock() - self._looked_at_s >= _LOOK_AGAIN_S and self._looking.acquire(blocking=False):
            try:
                self._looked_at_s = self._clock()
                self._read_again()
            finally:
                self._looking.release()
        return self._entries

    def _away_s(self) -> float:
        self._look()
        return self._looked_at_s - self._read_at_s

    def _read_again(self) -> None:
        try:
            self._read()
        except OSError as error:
            away_s = self._clock() - self._read_at_s
            closed = away_s >= CLOSED_AFTER_S
            if closed:
                self._entries = Entries({})
            hint = "nobody is let in" if closed else f"its last lines count until it is away for {CLOSED_AFTER_S:.0f} s"
            _log.error(
                "a token file cannot be read", file=self._variable, message=error.strerror, away_s=away_s, hint=hint
            )
        else:
            self._read_at_s = self._clock()

    def _read(self) -> None:
        # Bytes that are no UTF-8 cost their line, as any other slip.
        text = self._path.read_text(encoding="utf-8", errors="replace")
        before, self._entries = self._entries, read_entries(text, self._read_entry, self._separator)
        if self._entries.refused != before.refused:
            for number, why in self._entries.refused:
                _log.error("a line of a token file is refused", file=self._variable, line=number, message=why)
