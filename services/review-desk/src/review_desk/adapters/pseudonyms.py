"""Names that only the holder of the desk's key can lead back to people and notes."""

import hashlib
import hmac


def derive(key: bytes, purpose: str) -> bytes:
    """A key of its own for each purpose."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def pseudonym(key: bytes, name: str, prefix: str) -> str:
    """A stable name that only the holder of the key can lead back."""
    return prefix + hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]
