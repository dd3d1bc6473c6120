"""The signature of a delivery, as Standard Webhooks has it (https://www.standardwebhooks.com): libraries of theirs verify ours."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
"""Names of the headers."""
VERSION = "v1"


def sign(secret: bytes, delivery_id: str, timestamp_s: int, body: bytes) -> str:
    """The signature by one secret: HMAC-SHA256 over id, time and body, joined by full stops; base64 behind its version."""
    signed = f"{delivery_id}.{timestamp_s}.".encode() + body
    return f"{VERSION},{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()}"


def headers(secrets: Sequence[bytes], delivery_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers of a delivery, signed by every secret.

    Args:
        secrets: One or more; the receiver needs to know one of them.
        delivery_id: Equal at every try, so that the receiver knows what it has.
        timestamp_s: Of this try, UTC seconds; the receiver refuses an old one.
        body: As it is sent.
    """
    signatures = " ".join(sign(secret, delivery_id, timestamp_s, body) for secret in secrets)
    return {ID: delivery_id, TIMESTAMP: str(timestamp_s), SIGNATURE: signatures}
