"""Secrets from files: keys, passwords, and what is kept of a token. One line says what to do when one is not usable."""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from runtime.errors import SettingsError

KEY_BYTES = 32
T = TypeVar("T")
_HASH_CHARS = 64
_LOOK_AGAIN_S = 5.0


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


class WatchedFile(Generic[T]):
    """A small file that may change while we run: looked at again every few seconds, so that nothing has to be restarted.

    Args:
        path: The file.
        variable: Environment variable that named it, for errors.
        parse: From the text and the variable's name to what it says; raises SettingsError.
        clock: Seconds.

    Raises:
        SettingsError: At the start, when it cannot be read or says nothing that can be used.
    """

    def __init__(
        self, path: Path, variable: str, parse: Callable[[str, str], T], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._variable = variable
        self._parse = parse
        self._clock = clock
        self._says = self._read()
        self._looked_at_s = clock()

    def __call__(self) -> T:
        """What it says now; what it said before while it is half written, wrong or away."""
        if self._clock() - self._looked_at_s >= _LOOK_AGAIN_S:
            self._looked_at_s = self._clock()
            with suppress(SettingsError):  # what was valid stays valid
                self._says = self._read()
        return self._says

    def _read(self) -> T:
        try:
            text = self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{self._variable} cannot be read ({error.strerror}): check the path") from None
        return self._parse(text, self._variable)
