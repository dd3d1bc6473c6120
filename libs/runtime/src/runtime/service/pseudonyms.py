"""References become pseudonyms: the same person has the same one everywhere, and only the key's holder can tell who it is."""

import hashlib

MIN_KEY_BYTES = 32
_PSEUDONYM_BYTES = 16  # 128 bits: no two of a billion patients meet, and a record stays small
_KEY_ID_BYTES = 4
_BLOCK_BYTES = 64  # of SHA-256


class Pseudonyms:
    """Makes pseudonyms by HMAC-SHA256.

    Args:
        key: At least 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError("a pseudonym key has at least 32 bytes")
        block = (key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
        # The two hashes of an HMAC over the key alone; copying them is several times faster than hmac.digest.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        self._inner_of_kind: dict[str, hashlib._Hash] = {}
        self.key_id = self._hmac(b"key-id")[:_KEY_ID_BYTES].hex()

    def of(self, kind: str, reference: str) -> str:
        """The pseudonym of a reference: 32 hexadecimal digits.

        Args:
            kind: ``patient``, ``doctor`` or ``prescription``; equal references of two kinds have different pseudonyms.
            reference: In clear.
        """
        started = self._inner_of_kind.get(kind) or self._start(kind)
        return self._finish(started.copy(), reference.encode())[:_PSEUDONYM_BYTES].hex()

    def _start(self, kind: str) -> "hashlib._Hash":
        inner = self._inner.copy()
        inner.update(f"{kind}\0".encode())
        self._inner_of_kind[kind] = inner
        return inner

    def _hmac(self, message: bytes) -> bytes:
        return self._finish(self._inner.copy(), message)

    def _finish(self, inner: "hashlib._Hash", message: bytes) -> bytes:
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()
