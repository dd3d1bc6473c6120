"""Master keys from a file: they wrap the patients' keys, so that the key store alone opens nothing."""

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealing.errors import KeyUnknown, MasterKeyRefused

VARIABLE = "RXTRACT_MASTER_KEY_FILE"
KEY_DIGITS = 64
NONCE_BYTES = 12
_ID_DIGITS = 16
_REMEDY = "the file holds one key a line, 64 hexadecimal digits each; `rxtract keys init` makes one"


def master_id(key: bytes) -> str:
    """Names a master key without giving it away: 16 hexadecimal digits."""
    return hashlib.sha256(b"rxtract master key\0" + key).hexdigest()[:_ID_DIGITS]


def new_master() -> str:
    """A new master key as it is written: 64 hexadecimal digits."""
    return secrets.token_hex(KEY_DIGITS // 2)


def read_masters(path: Path) -> dict[str, bytes]:
    """The keys of a file by their id; the first is the one that wraps.

    Raises:
        MasterKeyRefused: It cannot be read, or a line is no key. No line is repeated in the message.
    """
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyRefused(f"{VARIABLE} cannot be read ({type(error).__name__}): {_REMEDY}") from None
    if not lines:
        raise MasterKeyRefused(f"{VARIABLE} is empty: {_REMEDY}")
    return {master_id(key): key for number, line in enumerate(lines, 1) for key in [_key(line, number)]}


def write_masters(path: Path, keys: list[str]) -> None:
    """Write the file anew, whole or not at all, for its owner alone.

    Raises:
        MasterKeyRefused: The folder cannot be written to.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise MasterKeyRefused(
            f"{VARIABLE} cannot be written ({type(error).__name__}): give a file in a folder that this user may write to"
        ) from None


class MasterKeys:
    """The master keys of one file, read again when the store speaks of one that we have not met.

    Args:
        path: One key a line, 64 hexadecimal digits; the first wraps, the others only unwrap.

    Raises:
        MasterKeyRefused: See `read_masters`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ciphers: dict[str, AESGCM] = {}
        self.current = ""
        self.read_again()

    def read_again(self) -> None:
        """Read the file. Raises MasterKeyRefused."""
        keys = read_masters(self._path)
        self.current = self.current if self.current in keys else next(iter(keys))
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}

    def has(self, name: str) -> bool:
        """Whether the file has this key; looked up anew before the answer is no."""
        if name not in self._ciphers:
            self.read_again()
        return name in self._ciphers

    def wrap_with(self, name: str) -> None:
        """Let a key of the file be the one that wraps: the key store's current one.

        Raises:
            MasterKeyRefused: The file does not have it.
        """
        if not self.has(name):
            raise MasterKeyRefused(
                f"{VARIABLE} does not hold the master key of this key store ({name}): give the file that belongs to it"
            )
        self.current = name

    def wrap(self, key: bytes, about: bytes) -> bytes:
        """Encrypt a patient's key under the current master key, bound to what it is about."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[self.current].encrypt(nonce, key, about)

    def unwrap(self, name: str, wrapped: bytes, about: bytes) -> bytes:
        """Decrypt a patient's key.

        Raises:
            MasterKeyRefused: No such master key in the file.
            KeyUnknown: The wrapped key was changed: it is none of ours.
        """
        if not self.has(name):
            raise MasterKeyRefused(
                f"{VARIABLE} has no master key {name}, under which a patient's key is wrapped: "
                "put the line of that key back behind the first one"
            )
        try:
            return self._ciphers[name].decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], about)
        except InvalidTag:
            raise KeyUnknown from None


def _key(line: str, number: int) -> bytes:
    try:
        key = bytes.fromhex(line)
    except ValueError:
        raise MasterKeyRefused(f"{VARIABLE} line {number} is not hexadecimal: {_REMEDY}") from None
    if len(line) != KEY_DIGITS:
        raise MasterKeyRefused(f"{VARIABLE} line {number} has {len(line)} digits and needs {KEY_DIGITS}: {_REMEDY}")
    return key
