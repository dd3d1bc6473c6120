"""Secrets from files: keys, passwords, and what is kept of a token. One line says what to do when one is not usable."""

import hashlib
from pathlib import Path

from runtime.errors import SettingsError

KEY_BYTES = 32


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
