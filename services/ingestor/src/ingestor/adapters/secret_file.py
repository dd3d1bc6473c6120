"""The key for pseudonyms, from its secret file."""

from pathlib import Path

from runtime.errors import SettingsError

from ingestor.domain.pseudonyms import MIN_KEY_BYTES


def read_key(path: Path) -> bytes:
    """Read the key; white space at the end does not count.

    Raises:
        SettingsError: One line that says how to make a key.
    """
    remedy = f"make one with `openssl rand -hex 32 > {path}` and keep it secret"
    try:
        key = path.read_bytes().rstrip()
    except OSError as error:
        raise SettingsError(f"RXTRACT_PSEUDONYM_KEY_FILE cannot be read ({error.strerror}): {remedy}") from None
    if len(key) < MIN_KEY_BYTES:
        raise SettingsError(f"RXTRACT_PSEUDONYM_KEY_FILE holds {len(key)} bytes and needs {MIN_KEY_BYTES}: {remedy}")
    return key
